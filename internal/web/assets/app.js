// Makes the first page move: fetches its moving part every few seconds while the
// tab is looked at, and writes times in the reader's zone. Pages work without it.

const every = 3000;
const live = document.getElementById("live");
const stale = document.getElementById("stale");

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
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
    element.textContent = "ago" in element.dataset ? ago(date) : dateTime.format(date);
    element.title = date.toISOString();
  }
}

let shown = "";
let busy = false;

async function refresh() {
  if (busy || document.visibilityState !== "visible") return;
  busy = true;
  try {
    const answer = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) {
      location.reload(); // the first page asks to sign in
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const text = await answer.text();
    stale.hidden = true;
    if (text === shown) return;
    const known = new Set(Array.from(live.querySelectorAll("[data-key]"), (e) => e.dataset.key));
    const parsed = new DOMParser().parseFromString(text, "text/html");
    if (known.size > 0) {
      for (const element of parsed.querySelectorAll("[data-key]")) {
        if (!known.has(element.dataset.key)) element.classList.add("fresh");
      }
    }
    writeTimes(parsed);
    // A link that has the keyboard's focus must have it afterwards, too.
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live.replaceChildren(...parsed.body.childNodes);
    if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    shown = text;
  } catch {
    stale.hidden = false;
  } finally {
    busy = false;
  }
}

writeTimes(document);
if (live) {
  setInterval(refresh, every);
  setInterval(() => writeTimes(live), 1000);
  document.addEventListener("visibilitychange", refresh);
}
