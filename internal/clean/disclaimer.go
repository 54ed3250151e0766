package clean

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what is taken for a disclaimer.
const (
	shortestFooter     = 10   // bytes
	longestDisclaimer  = 6000 // bytes
	longestBanner      = 700  // bytes
	longestBannerLine  = 400  // bytes
	longestFooterRows  = 14   // below a drawn line
	longestAside       = 400  // bytes that somebody may say about such words
	longestParagraph   = 40   // rows
	mostFooters        = 4
	longestCompany     = 160 // bytes of a row
	shortestCompany    = 40  // bytes
	shortestLegal      = 80  // bytes: below, nothing is long enough to be a lawyer's
	surelyLegal        = 150 // bytes: above, two of a lawyer's words are enough
	surelyLegalOfOther = 90  // where few bytes say much
)

// legal is found in disclaimers. Two of them, or three in a short one, make one.
var legal = []string{
	"confidential", "intended recipient", "intended only for", "intended solely for", "solely for the use", "solely for the addressee", "named addressee", "received this email in error", "received this e-mail in error", "received this message in error", "received this communication in error", "received it in error", "in error, please", "privileged", "unauthorized", "unauthorised", "strictly prohibited", "notify the sender", "delete this", "delete it", "delete the message", "disclosure, copying", "disclosure or copying", "copying or distribution", "disseminat", "do not necessarily represent", "do not necessarily reflect", "views expressed", "opinions expressed", "viruses", "liability", "disclaimer", "proprietary", "only for the recipient", "for the sole use",
	"vertraulich", "unbefugt", "irrtümlich", "bestimmungsgemäße", "richtige adressat", "vorgesehene empfänger", "vorgesehenen empfänger", "beabsichtigte empfänger", "nicht gestattet", "vernichten sie", "absender informieren", "informieren sie bitte sofort", "informieren sie bitte den absender", "den absender", "löschen sie", "rechtlich geschützt",
	"confidentiel", "destinataire", "par erreur", "expéditeur", "diffusion", "détruire", "confidencial", "destinatari", "por error", "prohibid", "remitente", "privilegiad", "elimine", "riservat", "per errore", "mittente", "cancellar", "por engano", "sigilos", "remetente", "per error", "remitent", "elimineu",
	"vertrouwelijk", "geadresseerde", "abusievelijk", "bestemd voor", "de afzender", "onbevoegd", "konfidentiell", "adressaten", "av misstag", "avsändaren", "fortrolig", "ved en fejl", "afsenderen", "ved en feil", "avsenderen", "konfidensiel", "trúnaðar", "luottamuksel", "vastaanottaj", "vahingossa", "erehdyksessä", "lähettäjälle",
	"poufn", "adresat", "omyłkowo", "nadawc", "důvěrn", "adresát", "omylem", "odesílatel", "dôvern", "odosielateľ", "zaupn", "naslovnik", "pomotoma", "povjerljiv", "povlašten", "primatelj", "greškom", "pošiljatelj", "poverljiv", "primalac", "поверљив",
	"конфиденциальн", "адресат", "по ошибке", "отправител", "конфіденційн", "помилково", "відправник", "поверителн", "погрешка", "получател", "bizalmas", "címzett", "tévedés", "feladó", "gizli", "alıcı", "yanlışlıkla", "gönderici", "confidențial", "destinatar", "din greșeală", "expeditor",
	"εμπιστευτικ", "παραλήπτη", "κατά λάθος", "αποστολέα", "konfidentsiaal", "adressaa", "ekslikult", "konfidenci", "adresāt", "kļūd", "gavėj", "klaidos", "機密", "誤って", "誤送信", "送信者", "受信者", "保密", "机密", "機密信息", "收件人", "误收", "誤收", "发件人", "기밀", "수신인", "수신자", "잘못 수신", "발신인", "חסוי", "סודי", "הנמען", "בטעות", "سرية", "سري", "المرسل إليه", "طريق الخطأ", "bảo mật", "người nhận", "nhầm", "rahasia", "penerima", "kesalahan",
}

// letterWords name a mail: a disclaimer speaks of the one it stands in.
var letterWords = []string{
	"mail", "message", "communication", "transmission", "attachment", "this document", "nachricht", "courriel", "pièces jointes", "mensaje", "correo", "messaggio", "mensagem", "missatge", "bericht", "meddelande", "meddelelse", "melding", "e-post", "epost", "tölvupóst", "viesti", "wiadomoś", "zpráv", "správ", "poruk", "sporočil", "e-pošt", "сообщени", "письм", "повідомленн", "лист", "съобщени", "поруке", "порука", "üzenet", "levél", "ileti", "e-posta", "mesaj", "μήνυμα", "メール", "邮件", "郵件", "메일", "הודע", "דוא", "رسالة", "الرسالة", "البريد", "thư", "pesan", "sõnum", "kiri", "ziņ", "vēstul", "pranešim", "laišk", "อีเมล",
}

// footers say each by itself that a paragraph is no part of what was said.
var footers = []string{
	"consider the environment before printing", "consider the environment before you print", "think before you print", "think before printing", "think green before", "please consider the environment", "think of the environment before", "denken sie an die umwelt", "an die umwelt, bevor", "pensez à l'environnement", "pensez à l’environnement", "piense en el medio ambiente", "antes de imprimir est", "prima di stampare", "pense no meio ambiente", "denk aan het milieu", "tänk på miljön innan", "tænk på miljøet", "tenk på miljøet", "pomyśl o środowisku",
	"virus-free.", "virenfrei.", "sans virus.", "libre de virus", "privo di virus", "virusvrij", "livre de vírus", "wolny od wirusów", "без вирусов", "this email has been checked for viruses", "this e-mail has been scanned", "this email has been scanned", "this message has been scanned", "checked by avg", "diese e-mail wurde von avast", "this email was scanned by", "no virus found in this", "outgoing mail is certified virus free", "cet e-mail a été vérifié par le logiciel antivirus", "el software de antivirus avast ha analizado", "questa e-mail è stata controllata",
	"if you are not the intended recipient", "if you are not the addressee", "if you have received this email in error", "if you have received this e-mail in error", "if you received this email in error", "if you received this e-mail in error", "if you have received this message in error", "this e-mail and any attachments are confidential", "this email and any attachments are confidential", "this email and any files transmitted with it are confidential", "this e-mail may contain confidential", "this email may contain confidential", "this message may contain confidential", "this message is confidential", "this e-mail is confidential", "this email is confidential", "confidentiality notice:", "privileged and confidential:",
	"diese e-mail enthält vertrauliche", "diese nachricht enthält vertrauliche", "der inhalt dieser e-mail ist vertraulich", "ce message et toutes les pièces jointes", "ce message et ses pièces jointes", "este mensaje y sus archivos adjuntos", "este mensaje se dirige exclusivamente", "este mensaje contiene información confidencial", "le informazioni contenute in quest", "questo messaggio contiene informazioni", "esta mensagem pode conter", "dit bericht is uitsluitend bestemd", "de informatie in dit bericht is", "denne e-post kan innehålla konfidentiell", "informationen zum datenschutz finden sie", "hinweise zum datenschutz finden sie", "unsere datenschutzhinweise finden sie", "datenschutzinformationen finden sie",
	"you received this message because you are subscribed", "you received this email because you", "you are receiving this email because", "you're receiving this email because", "you are receiving this because you", "you are receiving this mail because", "you have received this message because", "to unsubscribe from this", "to unsubscribe, ", "this sf.net email is sponsored by", "to unsubscribe send", "to unsubscribe e-mail", "if you no longer wish to receive", "if you wish to unsubscribe", "reply to this email directly or view it on github", "unsubscribe from this list", "manage your email preferences", "update your email preferences", "click here to unsubscribe",
	"um sich abzumelden", "newsletter abbestellen", "pour vous désabonner", "pour vous désinscrire", "para darse de baja", "per cancellarti", "per annullare l'iscrizione", "para cancelar a inscrição", "om u af te melden", "чтобы отписаться", "aby zrezygnować z subskrypcji", "your use of yahoo! groups is subject to", "[non-text portions of this message have been removed]",
}

// companies is found in what companies have to say of themselves in their letters.
var companies = []string{
	"registered in england", "registered office", "company number", "company no", "registered number", "companies house", "vat registration", "vat no", "handelsregister", "amtsgericht", "registergericht", "sitz der gesellschaft", "geschäftsführer:", "geschäftsführung:", "geschäftsführerin:", "vorstand:", "aufsichtsrat", "hrb ", "ust-id", "ustid", "umsatzsteuer", "siège social", "au capital de ", "siret", "tva intracom", "registro mercantil", "partita iva", "p. iva", "p.iva", "codice fiscale", "sede legale", "capitale sociale", "kvk ", "kvk: ", "btw-nummer", "btw nr", "org.nr", "org nr", "organisationsnummer", "cvr-nr", "cvr: ", "y-tunnus", "krs: ", "krs nr", "regon: ", "regon nr", "kapitał zakładowy", "ičo: ", "dič: ",
}

// banners stand above what is said in mails that came from outside of an organization.
var banners = []string{
	"originated from outside", "originates from outside", "originated outside", "this email is from outside", "this message is from outside", "sent from outside", "came from outside", "comes from outside", "was sent by someone outside", "do not click links or open attachments", "do not click on links or open", "do not click any links", "be careful with links and attachments", "exercise caution when opening", "use caution when opening", "think before you click", "you don't often get email from", "you don’t often get email from", "some people who received this message don't often get email from", "some people who received this message don’t often get email from", "aka.ms/learnaboutsenderidentification",
	"stammt von einem externen", "von außerhalb der organisation", "von außerhalb unserer", "von außerhalb des unternehmens", "externe e-mail:", "sie erhalten nicht häufig e-mails von", "sie erhalten nicht oft e-mail", "provient de l'extérieur", "provient de l’extérieur", "extérieur de l'organisation", "extérieur de l’organisation", "vous n'obtenez pas souvent d'e-mail", "vous n’obtenez pas souvent d’e-mail", "fuera de la organización", "fuera de su organización", "correo externo:", "no suele recibir correos electrónicos de", "esterno all'organizzazione", "esterna all'organizzazione", "fuori dall'organizzazione", "non si ricevono spesso messaggi di posta elettronica da",
	"fora da organização", "de fora da empresa", "e-mail externo:", "não costuma receber", "van buiten de organisatie", "buiten onze organisatie", "u ontvangt niet vaak e-mail van", "je ontvangt niet vaak e-mail van", "uden for organisationen", "utenfor organisasjonen", "utanför organisationen", "organisaation ulkopuolelta", "外部からのメール", "外部メール", "社外から", "組織外", "외부에서 발송", "来自外部", "來自外部",
}

// outsiders stand in such warnings, and elsewhere: a warning begins as one, or speaks of
// links and attachments.
var outsiders = []string{
	"from an external s", "external email", "this is an external", "external sender", "external message", "external source", "von einem externen absender", "expéditeur externe", "remitente externo", "remitent extern", "mittente esterno", "remetente externo", "externe afzender", "ekstern afsender", "ekstern avsender", "extern avsändare", "ulkoiselta lähettäjältä", "zewnętrznego nadawcy", "externího odesílatele", "внешнего отправителя", "из внешнего источника", "зовнішнього відправника", "külső feladótól", "expeditor extern", "harici bir gönder", "εξωτερικό αποστολέα", "вне организации", "mimo organizaci", "spoza organizacji", "kuruluş dışından", "外部邮件", "外部郵件", "外部寄件", "외부 메일", "szervezeten kívül",
}

// risks are what such warnings speak of.
var risks = []string{"click", "link", "attachment", "caution", "phishing", "anhäng", "anhang", "pièces jointes", "liens", "enlaces", "adjuntos", "allegati", "anexos", "bijlagen", "bilag", "vedhæft", "vedlegg", "bilagor", "liite", "załącznik", "odkaz", "přílo", "вложен", "ссыл", "вкладен", "посилан", "mellékl", "csatolm", "ekleri", "bağlantı", "linkuri", "συνημμέν", "添付", "リンク", "附件", "链接", "連結", "첨부", "링크"}

// headings stand above a disclaimer.
var headings = foldedWords(`disclaimer|email disclaimer|e-mail disclaimer|legal disclaimer|legal notice|notice|important notice|important|confidentiality|confidentiality notice|confidentiality note|privacy notice|confidential|privileged and confidential|haftungsausschluss|rechtlicher hinweis|wichtiger hinweis|vertraulichkeitshinweis|hinweis|avis de confidentialité|avertissement|avis juridique|aviso legal|aviso de confidencialidad|aviso importante|nota di riservatezza|avvertenza|avviso di riservatezza|aviso de confidencialidade|vertrouwelijkheid|disclaimer en|zastrzeżenie|klauzula poufności|уведомление о конфиденциальности|免責事項|免责声明`)

// footer sets apart what a mailing list adds: behind a drawn line, the name of the
// list and how to leave it.
func (m *mail) footer(from, to int) int {
	for range mostFooters {
		to = m.lastText(from, to)
		start := -1
		for i, rows := to-1, 0; i >= from && rows < longestFooterRows; i-- {
			if m.blank(i) {
				continue
			}
			rows++
			if !m.has(i, beginsOddly|hasExclamation) {
				continue // it is neither drawn nor an exclamation
			}
			if text := m.say(i); isRule(text) && len(text) >= 8 || text == "--" || text == "---" || text == "__" || m.has(i, hasExclamation) && strings.Contains(text, "Yahoo! Groups Sponsor") {
				if m.listWords(i+1, to) || rows <= 5 && m.advertised(i+1, to) {
					start = i
					break
				}
				if text != "--" && i+1 < to {
					break
				}
			}
		}
		if start < 0 && to-1 > from && m.isLink(to-1) && strings.Contains(m.say(to-1), "/mailman/listinfo/") {
			start = to - 1
		}
		if start < 0 {
			return to
		}
		m.set(start, to, disclaimed, "list footer")
		to = start
	}
	return to
}

// listWords reports whether rows are what mailing lists write.
func (m *mail) listWords(from, to int) bool {
	for i := from; i < to; i++ {
		text := m.say(i)
		if len(text) > 300 {
			continue
		}
		if ofLists.inFold(text) {
			return true
		}
	}
	return false
}

// ofLists is in what mailing lists write.
var ofLists = matching([]string{"mailing list", "mailinglist", "unsubscribe", "mailman/listinfo", "is sponsored by", "yahoo! groups", "list archive", "you have received this message because", "to post to this group", "irish linux users", "maintainer: list", "you are currently subscribed to", "liste de diffusion", "lista de correo", "mailingliste"})

// advertised reports whether rows are what providers of free mail write below a drawn line.
func (m *mail) advertised(from, to int) bool {
	for i := from; i < to; i++ {
		if m.open(i) && ofProviders.inFold(m.say(i)) {
			return true
		}
	}
	return false
}

// ofProviders is in what providers of free mail write.
var ofProviders = matching([]string{"msn hotmail", "hotmail on your mobile", "http://mobile.msn.com", "http://www.hotmail.com", "http://www.msn.com", "msn messenger", "msn photos", "join.msn.com", "do you yahoo!?", "do you yahoo", "http://mail.yahoo.com", "free email", "free e-mail", "windows live", "aol mail", ".msn.com", "msn explorer", "msn 8", "webmail.netscape.com", "www.lycos.", "www.juno.com", "www.excite.com", "http://www.mail.com", "http://my.yahoo.com"})

// disclaimer sets apart the paragraphs at the end that only lawyers, gateways and
// lists write.
func (m *mail) disclaimer(from, to int) int {
	end := m.lastText(from, to)
	for {
		end = m.lastText(from, end)
		last := end // a drawn line below is a part of it
		for last > from && isDrawn(m.say(last-1)) {
			last = m.lastText(from, last-1)
		}
		start := last
		for start > from && !m.blank(start-1) && last-start < longestParagraph && !isDrawn(m.say(start-1)) {
			start--
		}
		if start == last {
			return end
		}
		// A signature may be right above it in the paragraph: it is looked at on its own.
		first := m.legalFrom(start, last)
		if first < 0 {
			return end
		}
		if !m.saysAbove(first) {
			return end // it is all there is: somebody writes about it
		}
		first = m.withHeading(from, m.withLink(from, first, end))
		m.set(first, end, disclaimed, "disclaimer")
		end = first
	}
}

// withLink goes up from a disclaimer to a link above it that is repeated below: a picture's.
func (m *mail) withLink(from, first, end int) int {
	if first <= from+1 || !m.isLink(first-1) {
		return first
	}
	link := m.say(first - 1)
	for i := first; i < end; i++ {
		if m.say(i) == link {
			return first - 1
		}
	}
	return first
}

// withHeading goes up from a disclaimer to what stands above it: a drawn line, a heading.
func (m *mail) withHeading(from, first int) int {
	for range 3 {
		above := m.lastText(from, first) - 1
		if above <= from {
			return first
		}
		text := m.say(above)
		dash := first-above <= 1 && strings.Trim(text, "-–—_ ") == ""
		if !isDrawn(text) && !dash && !headings[strings.Trim(folded(text[:min(len(text), 60)]), " :*-_!.")] {
			return first
		}
		first = above
	}
	return first
}

// What a phrase of disclaimers and banners is.
const (
	ofFooter = iota
	ofBanner
	ofOutsider
	ofRisk
	ofLaw
	ofCompany
	ofLetter
	lawKinds
)

// laws are the phrases of disclaimers and banners.
var laws = func() *phrases {
	p := &phrases{}
	for kind, list := range [lawKinds][]string{ofFooter: footers, ofBanner: banners, ofOutsider: outsiders, ofRisk: risks, ofLaw: legal, ofCompany: companies, ofLetter: letterWords} {
		p.add(kind, list)
	}
	return p
}()

// findings are what phrases are in a text: how many of each kind, and where the first is.
type findings struct {
	count, first [lawKinds]int
}

// lawIn finds the phrases of disclaimers and banners in a text in lower case.
func lawIn(text []byte) (f findings) {
	var seen [1024 / 64]uint64
	laws.find(text, func(p *phrase, at int) {
		if bit := uint64(1) << (p.id % 64); seen[p.id/64]&bit == 0 {
			seen[p.id/64] |= bit
			if f.count[p.kind] == 0 {
				f.first[p.kind] = at
			}
			f.count[p.kind]++
		}
	})
	return f
}

// lowered is what rows say, in lower case and in one line. It holds until the next call.
func (m *mail) lowered(from, to int) []byte {
	b := m.lower[:0]
	for i := from; i < to; i++ {
		b = append(appendLower(b, m.say(i)), ' ')
	}
	m.lower = b
	return b
}

// legalFrom is the row of a paragraph from which on it is a disclaimer, -1 for none.
func (m *mail) legalFrom(from, to int) int {
	size := 0
	for i := from; i < to; i++ {
		size += int(m.rows[i].end - m.rows[i].body)
	}
	if size < shortestFooter || size > longestDisclaimer {
		return -1
	}
	low := m.lowered(from, to)
	if size < shortestLegal && !contains(ofNotices, low) && !contains(ofCompanies, low) {
		return -1
	}
	found := lawIn(low)
	footer, law, company := found.count[ofFooter]+found.count[ofBanner], found.count[ofLaw], found.count[ofCompany]
	if footer == 0 && law < 2 && company < 2 {
		return -1
	}
	text := string(low)
	asked, personal := strings.ContainsAny(text, "?？"), isPersonal(text)
	switch {
	case footer > 0:
		if size < longestAside && (personal || asked && !m.saysAbove(from)) {
			return -1 // somebody speaks of one
		}
		first := len(text)
		for _, kind := range [...]int{ofFooter, ofBanner} {
			if found.count[kind] > 0 {
				first = min(first, found.first[kind])
			}
		}
		return m.beginning(from, to, first)
	case asked || personal:
		return -1
	}
	enough := size > surelyLegal || size > surelyLegalOfOther && utf8.RuneCountInString(text)*2 < len(text)
	if size >= shortestLegal && (law >= 3 || law >= 2 && enough) && found.count[ofLetter] > 0 {
		return m.beginning(from, to, found.first[ofLaw])
	}
	// Below a name they are a part of the signature.
	if company >= 2 && size >= shortestCompany && m.beginning(from, to, found.first[ofCompany]) == from {
		return from
	}
	return -1
}

// beginning is the row in which a disclaimer begins that has a telling word at a given
// byte of the paragraph. What is above it in the paragraph may be a name.
func (m *mail) beginning(from, to, first int) int {
	at := 0
	for i := from; i < to; i++ {
		n := len(strings.ToLower(m.say(i))) + 1
		if at+n <= first {
			at += n
			continue
		}
		for i > from && !m.looksSigned(i-1) && !endsSentence(m.say(i-1)) && i-from < 5 {
			i--
		}
		return i
	}
	return from
}

// isPersonal reports whether somebody speaks of themselves in a text in lower case, as
// no lawyer does.
func isPersonal(text string) bool {
	if containsAny(text, []string{" ich ", " mir ", " je ne ", " i'm ", " i’m "}) {
		return true
	}
	english := strings.Contains(text, " the ") || strings.Contains(text, " you ") || strings.Contains(text, " to ")
	return english && (strings.HasPrefix(text, "i ") || containsAny(text, []string{" i ", " my "}))
}

// isCompany reports whether a row is what a company has to say of itself.
func (m *mail) isCompany(i int) bool {
	return len(m.say(i)) <= longestCompany && contains(ofCompanies, m.lowered(i, i+1))
}

// ofCompanies is in what companies have to say of themselves.
var ofCompanies = matching(companies)

// banner sets apart the warnings that stand above mails from outside.
func (m *mail) banner() {
	for range 3 {
		i := 0
		for i < len(m.rows) && (m.blank(i) || m.rows[i].class == disclaimed) {
			i++
		}
		if i == len(m.rows) || m.rows[i].class != own || m.rows[i].fixed {
			return
		}
		start := i
		for i < len(m.rows) && (m.blank(i) || isDrawn(m.say(i))) && i-start < 4 {
			i++ // a box is drawn around it
		}
		end, size := i, 0
		for end < len(m.rows) && !m.blank(end) && end-i < 8 && m.rows[end].class == own && size < longestBanner {
			size += int(m.rows[end].end - m.rows[end].start)
			end++
		}
		last := i
		if end > i {
			last = m.bannerEnd(i, end)
		}
		if last == i || !m.words(last, len(m.rows)) {
			return
		}
		if next := m.nextText(last); next < len(m.rows) && start < i && isDrawn(m.say(next)) {
			last = next + 1
		}
		m.set(start, last, disclaimed, "banner")
	}
}

// bannerEnd is the row behind the warning that a paragraph begins with; from for none.
func (m *mail) bannerEnd(from, to int) int {
	last := from
	for j := from; j < to; j++ {
		text := m.say(j)
		if isDrawn(text) && j+1 == to && last > from {
			return to
		}
		if m.isBanner(j) {
			last = j + 1
		} else if j-from > 2 && last == from {
			return from
		}
	}
	// The rest of a sentence that was broken.
	for last > from && last < to && !endsSentence(m.say(last-1)) && m.warns(from) && !strings.HasSuffix(m.say(last-1), "]") {
		last++
	}
	if last == from {
		if m.noticed(from) && m.legalFrom(from, to) == from {
			return to
		}
	}
	return last
}

// isBanner reports whether a row is of a warning that a mail came from outside.
func (m *mail) isBanner(i int) bool {
	text := m.say(i)
	if len(text) >= longestBannerLine || strings.Contains(text, "?") {
		return false
	}
	if isMarked(text) {
		return true
	}
	low := m.lowered(i, i+1)
	if !contains(ofWarnings, low) {
		return false
	}
	found := lawIn(low)
	return found.count[ofBanner] > 0 || found.count[ofOutsider] > 0 && (found.count[ofRisk] > 0 || m.warns(i))
}

// ofNotices finds what says by itself that a paragraph is no part of what was said.
var ofNotices = matching(slices.Concat(footers, banners))

// ofWarnings is in such warnings.
var ofWarnings = matching(slices.Concat(banners, outsiders))

// isMarked reports whether a line is the mark of a mail from outside and nothing else.
func isMarked(text string) bool {
	if text == "" || len(text) > 40 {
		return false
	}
	if !aroundMarked.before.has(rune(text[0])) && text[len(text)-1] != '!' {
		return false
	}
	switch strings.ToLower(aroundMarked.both.trim(text)) {
	case "external", "external email", "external e-mail", "external mail", "external sender", "external message", "ext", "extern", "externe e-mail", "externe mail", "externo", "correo externo", "esterno", "externe", "message externe", "e-mail externo":
		return true
	}
	return false
}

// aroundMarked stands before such a mark, and around it.
var aroundMarked = struct{ before, both *charset }{charsetOf("[(*<{!-="), charsetOf("[]()*<>{}!:-= ")}

// beforeWarnings stands before the first words of warnings.
var beforeWarnings = charsetOf("[*(!<⚠️ -=#")

// warns reports whether a row begins as warnings do.
func (m *mail) warns(i int) bool {
	word, _, _ := strings.Cut(beforeWarnings.trimLeft(m.say(i)), " ")
	var room [64]byte
	return warnings[string(appendLower(room[:0], aroundWords.trim(word)))]
}

// warnings begin what warns.
var warnings = setOf([]string{"caution", "warning", "external", "attention", "notice", "alert", "achtung", "warnung", "vorsicht", "hinweis", "avertissement", "atención", "precaución", "advertencia", "aviso", "attenzione", "avviso", "atenção", "cuidado", "let", "waarschuwing", "advarsel", "varning", "obs", "uwaga", "upozornění", "внимание", "осторожно", "увага", "figyelem", "dikkat", "uyarı", "atenție", "注意", "警告", "주의", "extern", "esterno", "externo"})

// noticed reports whether a row begins as a lawyer's notice does.
func (m *mail) noticed(i int) bool {
	text := strings.TrimLeft(m.say(i), "[*( ")
	// No character has more than three bytes that is a letter of these words in lower case.
	var room [64]byte
	return m.warns(i) || notices.begin(appendLower(room[:0], text[:min(len(text), 3*len("questo messaggio"))]))
}

// notices begin what lawyers have to say.
var notices = phrasesOf([]string{"confidential", "privileged", "disclaimer", "this e", "this m", "vertraulich", "diese e", "diese n", "ce message", "este mensaje", "este correo", "questo messaggio", "esta mensagem", "dit bericht"})
