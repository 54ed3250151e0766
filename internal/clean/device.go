package clean

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a line that a mail program adds.
const (
	longestDevice      = 200 // bytes
	longestDeviceWords = 8   // behind the words that begin it
)

// devicePrefixes begin the line that a mail program adds on its own: "Sent from my
// phone". Few words may follow, whatever they are.
var devicePrefixes = byRune(
	"sent from my ", "sent from mail for ", "sent from outlook", "sent from yahoo", "sent from samsung", "sent from android", "sent from iphone", "sent from ipad", "sent from blackberry", "sent from windows", "sent from the all new", "sent from proton", "sent from gmail", "sent from mobile", "sent from mailbox", "sent on the go", "sent on the move", "sent while on the move", "sent in haste",
	"sent from mail.ru", "sent from typeapp", "sent from nine", "sent from spark", "sent from aquamail", "sent via mobile", "sent with airmail", "sent wirelessly from", "get outlook for ", "skaff deg outlook", "yahoo mail: search", "get bluemail", "download outlook for ", "sent with proton", "sent from workspace",
	"envoyé de mon ", "envoyé de ma ", "envoyé depuis mon ", "envoyé depuis ma ", "obtenir outlook pour", "télécharger outlook pour", "provenance : courrier pour", "téléchargez outlook pour", "envoyé depuis l'application", "envoyé depuis l’application",
	"gesendet von meinem", "gesendet von meiner", "diese nachricht wurde von meinem", "diese e-mail wurde von meinem", "holen sie sich outlook", "outlook für ios", "outlook für android", "laden sie outlook",
	"enviado desde mi ", "enviado desde correo", "enviado desde outlook", "enviado desde yahoo", "enviado do meu ", "enviado da minha ", "enviado a partir do ", "obtener outlook para", "obtén outlook para", "descargar outlook para", "obter o outlook para", "obter outlook para", "baixe o outlook", "baixar o outlook",
	"inviato da iphone", "inviato da ipad", "inviato dal mio", "inviato dalla mia", "inviato da outlook", "inviato da posta", "inviato da yahoo", "inviato da libero", "inviato da tablet", "inviato da smartphone", "ottieni outlook per", "scarica outlook per",
	"verstuurd met mijn", "download outlook voor", "skaffa outlook för", "hämta outlook för", "sendt fra min", "sendt fra mit", "sendt fra outlook", "sendt fra mail", "sendt fra yahoo", "hent outlook til", "få outlook for", "hent outlook for", "hanki outlook", "sækja outlook",
	"pobierz program outlook", "pobierz aplikację outlook", "pobierz outlook", "získat outlook", "získať outlook", "получить outlook", "скачать outlook", "отримати outlook", "изпратено от моя",
	"letöltés: outlook", "λήψη του outlook", "obțineți outlook", "poslano s mo", "poslano z mo", "poslano iz mo", "poslano sa mo", "preuzmite outlook", "nabavite outlook",
	"saadetud minu ", "dapatkan outlook", "ios için outlook", "android için outlook",
	"発信元：", "iphoneから送信", "ipadから送信", "发自我的", "來自我的", "寄自我的", "傳送自我的", "發自我的", "获取 outlook", "取得 outlook", "나의 iphone에서 보냄", "내 iphone에서 보냄", "נשלח מה", "از iphone", "ได้รับ outlook",
)

// deviceBeginnings may begin such a line, if a device or a mail program is named.
var deviceBeginnings = byRune(
	"sent from ", "sent via ", "sent using ", "sent with ", "sent by ", "sent through ", "composed on ", "written on ", "typed on ", "from my ", "envoyé depuis ", "envoyé avec ", "envoyé via ", "envoyé par ", "gesendet von ", "gesendet mit ", "gesendet aus ", "gesendet über ", "gesendet per ", "enviado de ", "enviado con ", "enviado pelo ", "enviado pela ", "enviado do ", "enviado da ", "enviado por ", "enviado via ", "enviado desde ",
	"inviato da ", "inviato con ", "inviato tramite ", "verzonden via ", "verzonden met ", "verstuurd met ", "verstuurd via ", "sendt fra ", "sendt med ", "sendt via ", "skickat med ", "wysłane przez ", "wysłano przez ", "wysłane za ", "отправлено через ", "az ", "a ", "odesláno přes ", "从", "從",
	"enviado desde el ", "inviato dal ", "gesendet mit der ", "verzonden vanaf ", "verzonden vanuit ", "verstuurd vanuit ", "verstuurd vanaf ", "verzonden met de ", "skickat från ", "skickad från ", "skickades från ", "lähetetty ", "wysłane z ", "wysłano z ", "odesláno z ", "odesláno ze ", "odoslané z ", "odoslané zo ", "отправлено с ", "отправлено из ", "отправлено со ", "послано с ", "надіслано з ", "надіслано із ", "відправлено з ", "изпратено от ", "küldve ", "elküldve ", "trimis de pe", "trimis din", "poslano s ", "poslato sa ", "poslato s ", "послато са", "saadetud ", "nosūtīts no ", "išsiųsta iš ", "siųsta iš ", "gửi từ ", "đã gửi từ ", "được gửi từ", "dikirim dari ", "נשלח מ", "enviat des ", "enviat del ", "enviado dende ", "az outlook beszerzése", "sent on the go", "outlook für ", "outlook voor ", "envoyé à partir de ", "envoyé sans fil ", "sendt fra i", "sent úr ", "στάλθηκε από", "εστάλη από", "αποστολή από το", "从我的", "أرسلت من", "أُرسلت من", "مرسل من", "تم الإرسال من", "ส่งจาก", "ارسال شده از", "diese nachricht wurde mit ",
)

// deviceLines are such lines of programs whose names are words, too.
var deviceLines = words(`sent from front|sent via front|sent from missive|sent with missive|sent from shortwave|sent with shortwave|sent from mailspring|sent from mailspring, the best free email app for work|sent using zoho mail|sent from zoho mail|von unterwegs gesendet|gesendet von unterwegs|yahoo mail: search, organize, conquer|yahoo mail – stressfrei mails organisieren|来自 iphone 的邮件|来自我的 iphone`)

// fetches begin or end the line by which Outlook on a telephone offers itself, in languages
// that put the words in any order around its name.
var fetches = []string{
	"get outlook", "sent from outlook", "download", "ophalen", "herunterladen", "holen", "gesendet", "télécharger", "obtenir", "obtener", "descargar", "obter", "baix", "transferir", "scarica", "ottieni", "skaff", "hämta", "hent", "få ", "hanki", "lähetetty", "lataa", "pobierz", "stáhn", "získa", "stiahn", "letölt", "beszerz", "obțin", "descărca", "скача", "получ", "отрима", "завантаж", "вземете", "изтегл", "αποκτήστε", "λήψη", "κατεβάστε", "edin", "indir", "קבל", "השג", "הורד", "الحصول", "تنزيل", "احصل", "入手", "ダウンロード", "다운로드", "받기", "获取", "取得", "下载", "下載", "tải", "รับ", "ดาวน์โหลด", "dapatkan", "unduh", "preuzm", "nabav", "prenes", "hankige", "lejupielād", "atsisių",
}

// deviceEndings end such a line, if a device or a mail program is named.
var deviceEndings = []string{
	"gönderildi", "から送信", "から送信されました", "에서 보냄", "에서 보냈습니다", "에서 전송됨", "küldve", " küldtem", "傳送", "发送", "發送", "发出", "से भेजा गया", "ارسال شد", "ارسال شده", " from mobile", " from my phone", " from my mobile", "gönderilmiştir", "lähetetty", "用に送信", "より送信",
}

// deviceEnds finds deviceEndings, and the German one.
var deviceEnds = matching(append([]string{" gesendet"}, deviceEndings...))

// plainEnds finds those of them that are ASCII.
var plainEnds = matching(slices.DeleteFunc(append([]string{" gesendet"}, deviceEndings...), hasHighByte))

// deviceNames are the devices and the mail programs.
var deviceNames = []string{
	"phone", "iphon", "ipad", "ipod", "apple watch", "android", "mobil", "handy", "galaxy", "samsung", "huawei", "xiaomi", "nokia", "htc", "blackberry", "pixel", "outlook", "gmail", "hotmail", "yahoo", "webmail", "airmail", "mailbox", "mail.ru", "web.de", "gmx", "mail app", "mail-app", "mail for", "mail für", "mail voor", "mail pour", "mail til", "mail per", "courrier", "correo para", "posta di", "почты", "почта", "windows", "tablet", "cell", "device", "surface", "proton", "spark", "thunderbird", "nexus", "oneplus", "motorola", "xperia", "lumia", "kindle", "superhuman", "k-9", "gerät", "móvil", "celular", "телефон", "мобильн",
	"симбиан", "smartphone", "teléfono", "téléphone", "portable", "telefon", "telefoon", "手机", "手機", "携帯", "휴대", "הנייד", "terminal mobile", "appareil", "enhet", "zařízen", "urządzen", "készülék",
}

// excuses say sorry for what such a device makes of words.
var excuses = []string{
	"excuse", "pardon", "forgive", "sorry for", "sorry about", "apolog", "typo", "brevity", "brief", "autocorrect", "auto-correct", "auto correct", "spelling", "entschuldig", "tippfehler", "kürze", "désolé", "fautes de frappe", "brièveté", "disculp", "perdon", "errores", "scus", "brevità", "desculp", "fouten", "ursäkta", "undskyld", "przepraszam", "извин", "опечат",
}

// byRune puts phrases in lists by the rune they begin with.
func byRune(phrases ...string) map[rune][]string {
	out := map[rune][]string{}
	for _, p := range phrases {
		first, _ := utf8.DecodeRuneInString(p)
		out[first] = append(out[first], p)
	}
	return out
}

// aroundDevices stands around such lines.
var aroundDevices = charsetOf(" -–—_*<>()[]{}|~•\"'“”«»\u00a0")

// isFetched reports whether a line in lower case is what Outlook on a telephone adds.
func isFetched(line string) bool {
	if !strings.Contains(line, "outlook") || !strings.Contains(line, "ios") && !strings.Contains(line, "android") {
		return false
	}
	line = strings.TrimRight(withoutLinks(line), " .<>()[]*_")
	return countWords(line) <= longestDeviceWords && !strings.ContainsAny(line, "?!,;") &&
		(hasAnyPrefix(line, fetches...) || containsAny(lastWord(line), fetches))
}

// deviceKeys has what the lines begin with.
var deviceKeys = func() (k keys) {
	for _, lists := range []map[rune][]string{devicePrefixes, deviceBeginnings} {
		for _, list := range lists {
			for _, p := range list {
				k.addShort(p)
			}
		}
	}
	for line := range deviceLines {
		k.add(line)
	}
	return k
}()

// deviceHints is in lines that do not begin so. A link in one is no part of it.
var deviceHints = matching(append([]string{" gesendet", "outlook", "http", "mailto:"}, deviceEndings...))

// mayBeDevice is a quick look: does a line begin or end as those do? What is not ASCII is
// read with care.
func mayBeDevice(text string) bool {
	var room [longestDevice]byte
	line := appendLower(room[:0], aroundDevices.trim(text))
	if len(line) == 0 {
		return false
	}
	begins := len(line) < 3 || deviceKeys.has(line[0], line[1], line[2])
	if hasHighByte(text) {
		return begins || contains(deviceHints, line)
	}
	return begins && beginsAsDevice(line) || contains(deviceEnds, line)
}

// beginsAsDevice reports whether a line in lower case begins as those do, as far as it goes.
func beginsAsDevice(line []byte) bool {
	first := rune(line[0])
	for _, list := range [...][]string{devicePrefixes[first], deviceBeginnings[first]} {
		for _, p := range list {
			if n := min(len(p), len(line)); string(line[:n]) == p[:n] {
				return true
			}
		}
	}
	return false
}

// isDeviceAt is isDevice of row i.
func (m *mail) isDeviceAt(i int) bool {
	text := m.say(i)
	return len(text) <= longestDevice && (m.has(i, beginsDevice|hasHigh) || plainEnds.inFold(text)) && isDevice(text)
}

// isDevice reports whether a line is one that a mail program or a telephone adds.
func isDevice(text string) bool {
	if len(text) > longestDevice || utf8.RuneCountInString(text) < 6 || !mayBeDevice(text) || hasAnyPrefix(text, "\"", "“", "„", "«", "'") {
		return false // or somebody speaks of one
	}
	line := aroundDevices.trim(strings.ToLower(text))
	if deviceLines[strings.TrimRight(withoutLinks(line), ".! ")] || isFetched(line) {
		return true
	}
	first, _ := utf8.DecodeRuneInString(line)
	prefixes := devicePrefixes[first]
	if (len(prefixes) == 0 || !hasAnyPrefix(line+" ", prefixes...)) && !hasAnyPrefix(line, deviceBeginnings[first]...) && !deviceEnds.in(line) {
		return false
	}
	line = strings.TrimRight(beforeExcuse(withoutLinks(line)), " .!-–—()[]<>*_")
	for _, p := range devicePrefixes[first] {
		if rest, ok := strings.CutPrefix(line+" ", p); ok && isDeviceName(rest, longestDeviceWords) {
			return true
		}
	}
	for _, p := range deviceBeginnings[first] {
		if rest, ok := strings.CutPrefix(line, p); ok && isDeviceName(rest, wordsOfDevice(rest)) && containsAny(rest, deviceNames) && (len(p) > 3 || endsAs(line)) && (p != "from my " || isDeviceName(rest, 3)) {
			return true
		}
	}
	return endsAs(line) && isDeviceName(line, longestDeviceWords+2) && (containsAny(line, deviceNames) || strings.HasSuffix(line, " from mobile"))
}

// wordsOfDevice bounds the words behind those that begin such a line. The oldest telephones
// name their network too.
func wordsOfDevice(rest string) int {
	if strings.Contains(rest, "blackberry") {
		return longestDeviceWords + 4
	}
	return longestDeviceWords
}

// endsAs reports whether a line ends as those that a device adds in languages that
// put the verb last.
func endsAs(line string) bool {
	if strings.HasSuffix(line, " gesendet") {
		return hasAnyPrefix(line, "von mein", "von outlook", "vom ", "diese nachricht", "diese e-mail", "diese mail")
	}
	for _, s := range deviceEndings {
		if strings.HasSuffix(line, s) {
			return true
		}
	}
	return false
}

// isDeviceName reports whether what follows such words may be a device: no sentence is.
func isDeviceName(rest string, most int) bool {
	if head, tail, ok := strings.Cut(rest, ", "); ok && containsAny(head, deviceNames) && hasAnySuffix(tail, "smartphone", "phone", "device", "tablet") {
		rest, most = head+" "+tail, 2*most
	}
	return len(strings.Fields(rest)) <= most && !strings.ContainsAny(rest, "?,;:") && !strings.Contains(rest, ". ")
}

// withoutLinks is a line without the links in it.
func withoutLinks(line string) string {
	for _, pair := range [...][2]string{{"<http", ">"}, {"<mailto:", ">"}, {"[http", "]"}, {"(http", ")"}} {
		for {
			at := strings.Index(line, pair[0])
			if at <= 0 {
				break
			}
			end := strings.Index(line[at:], pair[1])
			if end < 0 {
				line = line[:at]
				break
			}
			line = strings.TrimRight(line[:at], " ") + line[at+end+1:]
		}
	}
	if at := strings.Index(line, "http"); at > 0 && (strings.HasPrefix(line[at:], "https://") || strings.HasPrefix(line[at:], "http://")) {
		line = line[:at]
	}
	return line
}

// beforeExcuse is a line without the excuse for what a device makes of words.
func beforeExcuse(line string) string {
	for _, s := range excuses {
		if at := strings.Index(line, s); at > 0 {
			head := line[:at]
			if cut := strings.LastIndexAny(head, ".,;-–(!:"); cut > 0 {
				return strings.TrimRight(head[:cut], " .,;-–(!:")
			}
			if cut := strings.LastIndex(head, " so "); cut > 0 {
				return head[:cut]
			}
		}
	}
	return line
}

// devices sets the lines apart that a mail program or a telephone adds: the last ones
// of a stretch, or its first. What stands around them is looked at as if they were not there.
func (m *mail) devices(from, to int) {
	rows := 0
	for i := to - 1; i >= from && rows < 4; i-- {
		if m.blank(i) || m.rows[i].class != own {
			continue
		}
		if m.isDeviceAt(i) {
			end := i + 1
			if below := m.nextText(end); below < to && m.isLink(below) { // where to get it
				end = below + 1
			}
			m.set(i, end, signed, "device")
			continue
		}
		rows++
	}
	if first := m.nextText(from); first < to && m.rows[first].class == own && m.isDeviceAt(first) {
		m.set(first, first+1, signed, "device")
	}
}

// isLink reports whether a row is an address of the web and nothing else.
func (m *mail) isLink(i int) bool {
	text := strings.Trim(m.say(i), "<>[]()")
	return m.rows[i].class == own && strings.HasPrefix(text, "http") && !strings.ContainsAny(text, " \t")
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

func hasAnySuffix(text string, suffixes ...string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(strings.TrimRight(text, " "), s) {
			return true
		}
	}
	return false
}
