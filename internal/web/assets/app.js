// Makes pages move: takes what has changed from the server while the tab is looked at, and writes
// times in the reader's zone. Pages work without it.

const live = document.getElementById("live");
const stale = document.getElementById("stale");

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat(undefined, { style: "narrow", numeric: "auto" });

function ago(date) {
  const seconds = Math.round((date - Date.now()) / 1000);
  if (seconds > -60) return relative.format(Math.min(seconds, 0), "second");
  if (seconds > -3600) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds > -86400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86400), "day");
}

function writeTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    element.textContent = "ago" in element.dataset ? ago(date) : "day" in element.dataset ? day.format(date) : dateTime.format(date);
    element.title = date.toISOString();
  }
}

// What the reader has focused or opened stays so: such elements have an id, or are links.
function show(html) {
  const known = new Set(Array.from(live.querySelectorAll("[data-key]"), (e) => e.dataset.key));
  const parsed = new DOMParser().parseFromString(html, "text/html");
  if (known.size > 0) {
    for (const element of parsed.querySelectorAll("[data-key]")) {
      if (!known.has(element.dataset.key)) element.classList.add("fresh");
    }
  }
  for (const opened of live.querySelectorAll("details[open][id]")) {
    parsed.getElementById(opened.id)?.setAttribute("open", "");
  }
  writeTimes(parsed);
  const active = live.contains(document.activeElement) ? document.activeElement : null;
  const again = active && (active.id ? `#${CSS.escape(active.id)}` : active.hasAttribute("href") ? `a[href="${CSS.escape(active.getAttribute("href"))}"]` : "");
  const scrolled = Array.from(live.querySelectorAll(".scroll[id]"), (e) => [e.id, e.scrollLeft]);
  live.replaceChildren(...parsed.body.childNodes);
  for (const [id, left] of scrolled) document.getElementById(id)?.scrollTo({ left });
  if (again) live.querySelector(again)?.focus();
}

const patience = 20000; // without a word from the server
let source = null;
let heard = 0;

function connect() {
  if (source || document.visibilityState !== "visible") return;
  heard = Date.now();
  source = new EventSource(location.href);
  const well = () => { heard = Date.now(); stale.hidden = true; };
  source.addEventListener("part", (event) => { well(); show(event.data); });
  source.addEventListener("still", well);
  source.addEventListener("stale", () => { stale.hidden = false; });
  source.addEventListener("error", async () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself, or the page is being left
    disconnect();
    await new Promise((resolve) => setTimeout(resolve, 1000)); // a page that is being left has no next second
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer?.redirected || answer?.status === 404 || answer?.status === 403) location.reload(); // it says what is the matter
    else stale.hidden = false;
  });
}

function disconnect() {
  source?.close();
  source = null;
}

writeTimes(document);
if (live) {
  connect();
  setInterval(() => {
    writeTimes(live);
    if (document.visibilityState === "visible" && Date.now() - heard > patience) {
      stale.hidden = false;
      disconnect();
      connect();
    }
  }, 1000);
  addEventListener("pagehide", disconnect);
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? connect() : disconnect()));
}

// What can be copied has a button for it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const from = document.getElementById(button.dataset.copy);
  if (!navigator.clipboard) continue; // only where the page is trusted to be what was sent
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// A long list can be narrowed by what its lines say. What is ticked stays.
for (const filter of document.querySelectorAll("[data-filters]")) {
  const lines = Array.from(document.getElementById(filter.dataset.filters).children);
  filter.hidden = false;
  filter.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(wanted);
  });
  filter.querySelector("input").addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
}
