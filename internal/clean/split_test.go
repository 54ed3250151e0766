package clean_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// attributions are lines above a quotation as programs write them, by language.
// None of them needs marks on the lines below to be known.
var attributions = map[string][]string{
	"English": {
		"On Mon, 3 Mar 2025 at 10:12, Ann Example <ann@acme.example> wrote:", "On Mar 3, 2025, at 10:12 AM, Ann Example <ann@acme.example> wrote:",
		"On 03/03/2025 10:12, Ann Example wrote:", "Ann Example <ann@acme.example> wrote on 3 March 2025 10:12:", "At 10:12 03/03/2025 +0100, Ann Example wrote:",
		"--- On Mon, 3/3/25, Ann Example <ann@acme.example> wrote:", "In message <20250303.1012@acme.example>, Ann Example writes:", "Ann Example/ACME/US@Acme wrote on 03/03/2025 10:12:00 AM:",
		"2025-03-03 10:12 GMT+01:00 Ann Example <ann@acme.example>:",
	},
	"German":     {"Am Mo., 3. März 2025 um 10:12 Uhr schrieb Ann Example <ann@acme.example>:", "Am 03.03.2025 um 10:12 schrieb Ann Example:", "Ann Example <ann@acme.example> schrieb am 03.03.2025 10:12:"},
	"French":     {"Le lun. 3 mars 2025 à 10:12, Ann Example <ann@acme.example> a écrit :", "Le 03/03/2025 à 10:12, Ann Example a écrit :"},
	"Spanish":    {"El lun, 3 mar 2025 a las 10:12, Ann Example (<ann@acme.example>) escribió:", "El 3/3/2025 a las 10:12, Ann Example escribió:"},
	"Catalan":    {"El dl., 3 de març 2025, 10:12, Ann Example <ann@acme.example> va escriure:"},
	"Galician":   {"O luns, 3 mar 2025 ás 10:12, Ann Example (<ann@acme.example>) escribiu:"},
	"Portuguese": {"Em seg., 3 de mar. de 2025 às 10:12, Ann Example <ann@acme.example> escreveu:", "No dia 3/03/2025, às 10:12, Ann Example escreveu:"},
	"Italian":    {"Il giorno lun 3 mar 2025 alle ore 10:12 Ann Example <ann@acme.example> ha scritto:", "Il 03/03/2025 10:12, Ann Example ha scritto:"},
	"Dutch":      {"Op ma 3 mrt 2025 om 10:12 schreef Ann Example <ann@acme.example>:", "Op 3-3-2025 om 10:12 heeft Ann Example <ann@acme.example> het volgende geschreven:"},
	"Swedish":    {"Den mån 3 mars 2025 kl 10:12 skrev Ann Example <ann@acme.example>:", "3 mars 2025 kl. 10:12 skrev Ann Example <ann@acme.example>:"},
	"Danish":     {"Den man. 3. mar. 2025 kl. 10.12 skrev Ann Example <ann@acme.example>:", "Den 03/03/2025 kl. 10.12 skrev Ann Example:"},
	"Norwegian":  {"man. 3. mars 2025 kl. 10:12 skrev Ann Example <ann@acme.example>:", "3. mars 2025 kl. 10:12 skrev Ann Example <ann@acme.example>:"},
	"Icelandic":  {"Þann mán., 3. mar. 2025 kl. 10:12 skrifaði Ann Example <ann@acme.example>:"},
	"Finnish":    {"ma 3. maalisk. 2025 klo 10.12 Ann Example (ann@acme.example) kirjoitti:", "Ann Example kirjoitti 3.3.2025 klo 10.12:"},
	"Estonian":   {"Kuupäev E, 3. märts 2025 kell 10:12 kirjutas Ann Example <ann@acme.example>:"},
	"Latvian":    {"pirmd., 2025. g. 3. marts, plkst. 10:12 — lietotājs Ann Example <ann@acme.example> rakstīja:"},
	"Lithuanian": {"2025-03-03, pr, 10:12 Ann Example <ann@acme.example> rašė:"},
	"Polish":     {"pon., 3 mar 2025 o 10:12 Ann Example <ann@acme.example> napisał(a):", "W dniu 3.03.2025 o 10:12, Ann Example pisze:", "W dniu pon., 3.03.2025 o 10:12 Ann Example <ann@acme.example> napisał(a):"},
	"Czech":      {"po 3. 3. 2025 v 10:12 odesílatel Ann Example <ann@acme.example> napsal:", "Dne 03. 03. 25 v 10:12 Ann Example napsal(a):"},
	"Slovak":     {"po 3. 3. 2025 o 10:12 Ann Example <ann@acme.example> napísal(a):", "Dňa 3. 3. 2025 o 10:12 Ann Example napísal(a):"},
	"Slovenian":  {"V V pon., 3. mar. 2025 ob 10:12 je oseba Ann Example <ann@acme.example> napisala:"},
	"Croatian":   {"pon, 3. ožu 2025. u 10:12 Ann Example <ann@acme.example> napisao je:", "Dana 3.3.2025. u 10:12, Ann Example je napisao/la:"},
	"Serbian":    {"пон, 3. мар 2025. у 10:12 Ann Example <ann@acme.example> је написао/ла:"},
	"Bulgarian":  {"На пн, 3.03.2025 г. в 10:12 Ann Example <ann@acme.example> написа:"},
	"Russian":    {"пн, 3 мар. 2025 г. в 10:12, Ann Example <ann@acme.example>:", "3 марта 2025 г., 10:12 пользователь Ann Example <ann@acme.example> написал:", "03.03.2025 10:12, Ann Example пишет:", "Понедельник, 3 марта 2025, 10:12 +03:00 от Ann Example <ann@acme.example>:"},
	"Ukrainian":  {"пн, 3 бер. 2025 р. о 10:12 Ann Example <ann@acme.example> пише:", "03.03.2025 10:12, Ann Example пише:"},
	"Hungarian":  {"Ann Example <ann@acme.example> ezt írta (időpont: 2025. márc. 3., H, 10:12):", "2025.03.03. 10:12 keltezéssel, Ann Example írta:"},
	"Romanian":   {"În lun., 3 mar. 2025 la 10:12, Ann Example <ann@acme.example> a scris:", "Pe data de 3 martie 2025, 10:12, Ann Example a scris:"},
	"Greek":      {"Στις Δευ 3 Μαρ 2025 στις 10:12 π.μ., ο χρήστης Ann Example <ann@acme.example> έγραψε:"},
	"Turkish":    {"Ann Example <ann@acme.example>, 3 Mar 2025 Pzt, 10:12 tarihinde şunu yazdı:", "3.03.2025 10:12 tarihinde Ann Example yazdı:"},
	"Hebrew":     {"\u202bבתאריך יום ב׳, 3 במרץ 2025 ב-10:12 מאת \u202aAnn Example\u202c <\u202aann@acme.example\u202c>:\u202c", "ב-3 במרץ 2025, בשעה 10:12, Ann Example כתב/ה:"},
	"Arabic":     {"في الاثنين، 3 مارس 2025 في 10:12 ص تمت كتابة ما يلي بواسطة Ann Example <ann@acme.example>:", "في 3 مارس 2025، 10:12، Ann Example كتب:"},
	"Vietnamese": {"Vào Th 2, 3 thg 3, 2025 vào lúc 10:12 Ann Example <ann@acme.example> đã viết:"},
	"Indonesian": {"Pada Sen, 3 Mar 2025 pukul 10.12 Ann Example <ann@acme.example> menulis:"},
	"Thai":       {"ในวันที่ จ. 3 มี.ค. 2025 เวลา 10:12 Ann Example <ann@acme.example> เขียนว่า:"},
	"Japanese":   {"2025年3月3日(月) 10:12 Ann Example <ann@acme.example>:", "2025/03/03 10:12、Ann Example <ann@acme.example>のメール:"},
	"Chinese":    {"Ann Example <ann@acme.example> 于2025年3月3日周一 10:12写道：", "在 2025年3月3日，上午10:12，Ann Example <ann@acme.example> 写道："},
	"Korean":     {"2025년 3월 3일 (월) 오전 10:12, Ann Example <ann@acme.example>님이 작성:"},
}

func TestSplitAttributions(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(attributions), 30)
	for language, lines := range attributions {
		for n, line := range lines {
			t.Run(fmt.Sprintf("%s %d", language, n), func(t *testing.T) {
				t.Parallel()
				for what, text := range map[string]string{
					"marked":          "It works now.\n\n" + line + "\n> Old words.\n> More of them.",
					"marked later":    "It works now.\n\n" + line + "\n\n> Old words.\n>\n> More of them.",
					"not marked":      "It works now.\n\n" + line + "\n\nOld words.\n\nMore of them.",
					"below":           line + "\n> Old words.\n> More of them.\n\nIt works now.",
					"over two lines":  "It works now.\n\n" + broken(line, len(line)*2/3) + "\n> Old words.\n> More of them.",
					"over some lines": "It works now.\n\n" + broken(line, 30) + "\n\n> Old words.\n> More of them.",
				} {
					got := clean.Split(clean.Mail{Text: text})
					require.Equal(t, "It works now.", got.Reply, "%s: %s", what, text)
					require.Contains(t, got.Quoted, "Old words.", what)
				}
			})
		}
	}
}

// broken breaks a line at blanks so that no part is much longer than width.
func broken(line string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
		case at > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		at += len(word) + 1
	}
	return b.String()
}

// headerBlocks are blocks of headers above a mail that is answered, by language.
var headerBlocks = map[string]string{
	"English":            "From: Ann Example <ann@acme.example>\nSent: Monday, March 3, 2025 10:12 AM\nTo: Support <support@desk.example>\nSubject: Invoice",
	"English with cc":    "From: Ann Example\nSent: Monday, March 3, 2025 10:12 AM\nTo: Support; Bob\nCc: Carl; Dora; a very long list of people who have\nto be told about it\nSubject: Invoice\nImportance: High",
	"English, spread":    "From: Ann Example <ann@acme.example>\n\nSent: Monday, March 3, 2025 10:12 AM\n\nTo: Support\n\nSubject: Invoice",
	"English, starred":   "*From:* Ann Example <ann@acme.example>\n*Sent:* Monday, March 3, 2025 10:12 AM\n*To:* Support\n*Subject:* Invoice",
	"English, in a line": "From: Ann Example <ann@acme.example> Sent: Monday, March 3, 2025 10:12 AM To: Support Subject: Invoice",
	"English, Date":      "From: Ann Example\nDate: Monday, March 3, 2025 at 10:12\nTo: Support\nSubject: Invoice",
	"German":             "Von: Ann Example <ann@acme.example>\nGesendet: Montag, 3. März 2025 10:12\nAn: Support\nBetreff: Rechnung",
	"French":             "De : Ann Example <ann@acme.example>\nEnvoyé : lundi 3 mars 2025 10:12\nÀ : Support\nObjet : Facture",
	"Spanish":            "De: Ann Example <ann@acme.example>\nEnviado el: lunes, 3 de marzo de 2025 10:12\nPara: Support\nAsunto: Factura",
	"Portuguese":         "De: Ann Example <ann@acme.example>\nEnviada em: segunda-feira, 3 de março de 2025 10:12\nPara: Support\nAssunto: Fatura",
	"Italian":            "Da: Ann Example <ann@acme.example>\nInviato: lunedì 3 marzo 2025 10:12\nA: Support\nOggetto: Fattura",
	"Dutch":              "Van: Ann Example <ann@acme.example>\nVerzonden: maandag 3 maart 2025 10:12\nAan: Support\nOnderwerp: Factuur",
	"Swedish":            "Från: Ann Example <ann@acme.example>\nSkickat: den 3 mars 2025 10:12\nTill: Support\nÄmne: Faktura",
	"Danish":             "Fra: Ann Example <ann@acme.example>\nSendt: 3. marts 2025 10:12\nTil: Support\nEmne: Faktura",
	"Finnish":            "Lähettäjä: Ann Example <ann@acme.example>\nLähetetty: maanantai 3. maaliskuuta 2025 10.12\nVastaanottaja: Support\nAihe: Lasku",
	"Polish":             "Od: Ann Example <ann@acme.example>\nWysłano: poniedziałek, 3 marca 2025 10:12\nDo: Support\nTemat: Faktura",
	"Czech":              "Od: Ann Example <ann@acme.example>\nOdesláno: pondělí 3. března 2025 10:12\nKomu: Support\nPředmět: Faktura",
	"Slovak":             "Od: Ann Example <ann@acme.example>\nOdoslané: pondelok 3. marca 2025 10:12\nKomu: Support\nPredmet: Faktúra",
	"Russian":            "От: Ann Example <ann@acme.example>\nОтправлено: 3 марта 2025 г. 10:12\nКому: Support\nТема: Счёт",
	"Ukrainian":          "Від: Ann Example <ann@acme.example>\nНадіслано: 3 березня 2025 р. 10:12\nКому: Support\nТема: Рахунок",
	"Hungarian":          "Feladó: Ann Example <ann@acme.example>\nElküldve: 2025. március 3. 10:12\nCímzett: Support\nTárgy: Számla",
	"Romanian":           "De la: Ann Example <ann@acme.example>\nTrimis: luni, 3 martie 2025 10:12\nCătre: Support\nSubiect: Factura",
	"Greek":              "Από: Ann Example <ann@acme.example>\nΣτάλθηκε: Δευτέρα, 3 Μαρτίου 2025 10:12\nΠρος: Support\nΘέμα: Τιμολόγιο",
	"Turkish":            "Kimden: Ann Example <ann@acme.example>\nGönderildi: 3 Mart 2025 Pazartesi 10:12\nKime: Support\nKonu: Fatura",
	"Croatian":           "Šalje: Ann Example <ann@acme.example>\nPoslano: 3. ožujka 2025. 10:12\nPrima: Support\nPredmet: Račun",
	"Hebrew":             "מאת: Ann Example <ann@acme.example>\nנשלח: יום שני 03 מרץ 2025 10:12\nאל: Support\nנושא: חשבונית",
	"Arabic":             "من: Ann Example <ann@acme.example>\nتم الإرسال: 3 مارس 2025 10:12\nإلى: Support\nالموضوع: فاتورة",
	"Japanese":           "差出人: Ann Example <ann@acme.example>\n送信日時: 2025年3月3日 10:12\n宛先: Support\n件名: 請求書",
	"Chinese":            "发件人: Ann Example <ann@acme.example>\n发送时间: 2025年3月3日 10:12\n收件人: Support\n主题: 发票",
	"Korean":             "보낸 사람: Ann Example <ann@acme.example>\n보낸 날짜: 2025년 3월 3일 10:12\n받는 사람: Support\n제목: 청구서",
	"Vietnamese":         "Từ: Ann Example <ann@acme.example>\nNgày gửi: 3 tháng 3 2025 10:12\nĐến: Support\nChủ đề: Hóa đơn",
}

func TestSplitHeaderBlocks(t *testing.T) {
	t.Parallel()
	for language, block := range headerBlocks {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			for what, between := range map[string]string{"alone": "\n\n", "underscores": "\n\n________________________________\n", "original": "\n\n-----Original Message-----\n"} {
				text := "It works now." + between + block + "\n\nOld words.\n\nMore of them."
				got := clean.Split(clean.Mail{Text: text, Subject: "Re: Invoice"})
				require.Equal(t, "It works now.", got.Reply, what)
				require.Contains(t, got.Quoted, "Old words.")
			}
			html := "<div>It works now.</div><hr><p>" + asHTML(block) + "</p><p>Old words.</p>"
			require.Equal(t, "It works now.", clean.Split(clean.Mail{HTML: html}).Reply)
			// At the top, or below words that pass it on, it is what is to be read.
			top := block + "\n\nOld words."
			require.Contains(t, clean.Split(clean.Mail{Text: top}).Reply, "Old words.")
			require.Contains(t, clean.Split(clean.Mail{Text: "See below.\n\n" + top, Subject: "FW: Invoice"}).Reply, "Old words.")
		})
	}
}

// from is the sender of the mails below.
var from = clean.Mail{FromName: "Ann Example", FromAddress: "ann.example@acme.example", Subject: "Re: Invoice"}

func TestSplit(t *testing.T) {
	t.Parallel()
	const old = "\n\nOn Mon, 3 Mar 2025 at 10:12, Bob <bob@desk.example> wrote:\n> Old words.\n> More of them.\n"
	for name, c := range map[string]struct{ in, reply, signature string }{
		"nothing":       {"", "", ""},
		"one word":      {"Ann", "Ann", ""},
		"one word more": {"Thanks" + old, "Thanks", ""},
		"no quotation":  {"Hello,\n\nit works.", "Hello,\n\nit works.", ""},

		// Quotations.
		"below":                          {"It works." + old, "It works.", ""},
		"a reply below":                  {strings.TrimSpace(old) + "\n\nIt works.", "It works.", ""},
		"an answer between":              {"On 3 March 2025 10:12 Bob wrote:\n> Can you come?\n\nYes.\n\n> And Ann?\n\nNo.\n\n> Fine.", "On 3 March 2025 10:12 Bob wrote:\n> Can you come?\n\nYes.\n\n> And Ann?\n\nNo.", ""},
		"an answer in the middle":        {"> Can you come?\nYes.\n> Fine.", "> Can you come?\nYes.", ""},
		"lines that were broken":         {"It works.\n\nOn 3 March 2025 10:12 Bob wrote:\n> This line was written with so many words that the program broke\nit in two.\n> And on.", "It works.", ""},
		"lines broken twice":             {"It works.\n\nOn 3 March 2025 10:12 Bob wrote:\n> The first of these lines has so many words that a program made two of\nit without a mark before what is left.\n> Ann\n> The second of these lines has so many words that a program made two of\nit without a mark as well, as it did above.\n> Bob", "It works.", ""},
		"a clause that was broken":       {"It works.\n\nOn 3 March 2025 10:12 Bob wrote:\n> The line goes on behind the comma, where a program made two of this one,\nwithout a mark before what is left of it.\n> Bob", "It works.", ""},
		"original, glued":                {"It works.\n-------- Originalnachricht --------Von: \"Bob\" Datum: 03.03.25 10:12 An: Ann Betreff: Rechnung\n\nOld words.", "It works.", ""},
		"a name, on and when":            {"Das geht.\n\nBob Baker schrieb am Mo. 3. März 2025 um 10:12:\n\nOld words.", "Das geht.", ""},
		"a dash before the line":         {"Cela marche.\n\n- Le 2025-03-03 10:12, Bob a écrit :\n> Old words.", "Cela marche.", ""},
		"a greeting for an answer":       {"Hello\n\nOn Mon, 3 Mar 2025 at 10:12, Bob <bob@desk.example> wrote:\n\nOld words.", "Hello", ""},
		"the date under its French name": {"Cela marche.\n\nMessage du : 03/03/2025 10:12\nDe : \"Bob\" <bob@desk.example>\nA : ann@acme.example\nSujet : Facture\n\nOld words.", "Cela marche.", ""},
		"quoted twice":                   {"It works.\n\nBob wrote:\n> On 2 March 2025 Ann wrote:\n>> It does not.\n> It does.", "It works.", ""},
		"initials":                       {"It works.\n\nBE> Does it?\nBE> Really?", "It works.", ""},
		"only a quotation":               {"On 3 March 2025 10:12 Bob wrote:\n> Old words.", "", ""},
		"mbox's From":                    {"He said\n>From now on it works.", "He said\n>From now on it works.", ""},
		"reply above this line":          {"It works.\n\n##- Please type your reply above this line -##\nOld words.", "It works.", ""},
		"original, in dashes":            {"It works.\n\n---- Original message ----\nOld words.", "It works.", ""},
		"original, marked":               {"----- Original Message -----\nFrom: <bob@desk.example>\n> Old words.\n\nIt works.", "It works.", ""},
		"original, marked, below":        {"It works.\n\n----- Original Message -----\nFrom: \"Bob\" <bob@desk.example>\nSent: Monday, March 3, 2025 10:12 AM\nSubject: Invoice\n\n> Old words.\n\nAnd so does this.", "It works.\n\nAnd so does this.", ""},
		"Notes":                          {"It works.\n\nBob/Desk/US@Desk wrote on 03/03/2025 10:12:00 AM:\n\n> From: Bob/Desk\n> Old words.", "It works.", ""},
		"greeted above":                  {"Hi Bob,\n\nOn Mon, 3 Mar 2025 at 10:12, Bob wrote:\nOld words.\n\nIt works.", "Hi Bob,\n\nOn Mon, 3 Mar 2025 at 10:12, Bob wrote:\nOld words.\n\nIt works.", ""},

		// What only looks like a quotation.
		"a trip":           {"Please book:\n\nFrom: Berlin\nTo: Munich\nDate: 3 May\n\nThank you!", "Please book:\n\nFrom: Berlin\nTo: Munich\nDate: 3 May\n\nThank you!", ""},
		"a sentence":       {"On Monday I wrote:\nit is broken.\n\nIt still is.", "On Monday I wrote:\nit is broken.\n\nIt still is.", ""},
		"another":          {"As Smith wrote: less is more.\n\nI agree.", "As Smith wrote: less is more.\n\nI agree.", ""},
		"a colon":          {"On the list:\n1. Paper\n2. Pens", "On the list:\n1. Paper\n2. Pens", ""},
		"greater":          {"5 > 3 and\na => b", "5 > 3 and\na => b", ""},
		"a label":          {"Subject: to change.\nNothing else.", "Subject: to change.\nNothing else.", ""},
		"a drawn line":     {"First part.\n\n--------------------\n\nSecond part of the text, which goes on for a while.\n\n*******\n\nThird.", "First part.\n\n--------------------\n\nSecond part of the text, which goes on for a while.\n\n*******\n\nThird.", ""},
		"a list":           {"We need:\n\n- Paper\n- Pens\n- Ann", "We need:\n\n- Paper\n- Pens\n- Ann", ""},
		"a list of phones": {"The numbers are:\n\nBob +49 30 5550 100\nCarl +49 30 5550 101\nDora +49 30 5550 102", "The numbers are:\n\nBob +49 30 5550 100\nCarl +49 30 5550 101\nDora +49 30 5550 102", ""},
		"a short line":     {"Which one?\n\nThe Blue", "Which one?\n\nThe Blue", ""},
		"another's name":   {"Who does it?\n\nBob Smith", "Who does it?\n\nBob Smith", ""},

		// Mails that are passed on.
		"passed on":           {"See below.\n\n---------- Forwarded message ---------\nFrom: Bob <bob@desk.example>\nDate: Mon, 3 Mar 2025\nSubject: Invoice\nTo: Ann\n\nOld words.\n\n> older", "See below.\n\n---------- Forwarded message ---------\nFrom: Bob <bob@desk.example>\nDate: Mon, 3 Mar 2025\nSubject: Invoice\nTo: Ann\n\nOld words.\n\n> older", ""},
		"passed on by Apple":  {"Begin forwarded message:\n\nFrom: Bob <bob@desk.example>\nSubject: Invoice\nDate: 3 March 2025\n\nOld words.", "Begin forwarded message:\n\nFrom: Bob <bob@desk.example>\nSubject: Invoice\nDate: 3 March 2025\n\nOld words.", ""},
		"passed on in German": {"Siehe unten.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: Rechnung\nVon: Bob\n\nAlte Worte.", "Siehe unten.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: Rechnung\nVon: Bob\n\nAlte Worte.", ""},

		// Signatures.
		"behind dashes":                   {"It works.\n\n-- \nAnn Example\nAcme", "It works.", "--\nAnn Example\nAcme"},
		"behind dashes, then a quotation": {"It works.\n\n--\nAnn Example" + old, "It works.", "--\nAnn Example"},
		"a closing":                       {"It works.\n\nKind regards,\nAnn Example\nAcme Ltd\nTel. +49 30 5550 100", "It works.", "Kind regards,\nAnn Example\nAcme Ltd\nTel. +49 30 5550 100"},
		"a closing in German":             {"Es geht.\n\nMit freundlichen Grüßen\n\nAnn Example\nLeiterin Einkauf", "Es geht.", "Mit freundlichen Grüßen\n\nAnn Example\nLeiterin Einkauf"},
		"a closing in Polish":             {"Działa.\n\nPozdrawiam\nAnn", "Działa.", "Pozdrawiam\nAnn"},
		"a closing in Russian":            {"Работает.\n\nС уважением,\nАнна", "Работает.", "С уважением,\nАнна"},
		"a closing in Japanese":           {"動きました。\n\nよろしくお願いいたします。\nアン", "動きました。", "よろしくお願いいたします。\nアン"},
		"closed in a line":                {"It works.\n\nThanks, Ann", "It works.", "Thanks, Ann"},
		"thanks alone":                    {"It works.\n\nThanks!", "It works.\n\nThanks!", ""},
		"thanks and a name":               {"It works.\n\nThank you,\nAnn", "It works.", "Thank you,\nAnn"},
		"the name alone":                  {"It works.\n\nAnn", "It works.", "Ann"},
		"short for the name":              {"It works.\n\nExam", "It works.", "Exam"},
		"the name and more":               {"It works.\n\nAnn Example\nHead of Sales\nann.example@acme.example", "It works.", "Ann Example\nHead of Sales\nann.example@acme.example"},
		"a dash and the name":             {"It works.\n\n- Ann", "It works.", "- Ann"},
		"initials for a name":             {"It works.\n\n--a.", "It works.", "--a."},
		"from a phone":                    {"It works.\n\nSent from my iPhone" + old, "It works.", "Sent from my iPhone"},
		"from a phone, named":             {"It works.\nAnn\n\nVon meinem iPhone gesendet", "It works.", "Ann\n\nVon meinem iPhone gesendet"},
		"get the program":                 {"It works.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFrom: Bob <bob@desk.example>\nSent: Monday, March 3, 2025 10:12 AM\nTo: Ann\nSubject: Invoice\n\nOld words.", "It works.", "Get Outlook for iOS<https://aka.ms/o0ukef>"},
		"sent from, said":                 {"The boxes were sent from our office, and two of them arrived.\n\nSent from where, you ask? From the new warehouse.", "The boxes were sent from our office, and two of them arrived.\n\nSent from where, you ask? From the new warehouse.", ""},
		"a postscript":                    {"It works.\n\nRegards,\nAnn\n\nP.S. Call me tomorrow, please.", "It works.\n\nP.S. Call me tomorrow, please.", "Regards,\nAnn"},
		"a slogan":                        {"It works.\n\nBest,\nAnn\n\nAnn Example | Acme\n+49 30 5550 100 | ann.example@acme.example\n\nVisit our new office in Springfield this summer!", "It works.\n\nVisit our new office in Springfield this summer!", "Best,\nAnn\n\nAnn Example | Acme\n+49 30 5550 100 | ann.example@acme.example"},
		"text below a name":               {"Two questions.\n\nThanks,\nBob\n\nHe wrote that above. I do not know what he means by it.", "Two questions.\n\nThanks,\nBob\n\nHe wrote that above. I do not know what he means by it.", ""},
		"nothing but a name":              {"Regards,\nAnn" + old, "Regards,\nAnn", ""},

		// Disclaimers, lists and tokens.
		"a disclaimer":           {"It works.\n\nKind regards,\nAnn\n\nThis e-mail is confidential and intended solely for the use of the individual to whom it is addressed. If you are not the intended recipient, please notify the sender and delete this message.", "It works.", "Kind regards,\nAnn"},
		"a disclaimer in German": {"Es geht.\n\nDiese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind, informieren Sie bitte sofort den Absender und vernichten Sie diese E-Mail.", "Es geht.", ""},
		"confidential, said":     {"This is confidential: we buy them.", "This is confidential: we buy them.", ""},
		"a banner":               {"CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you know the sender.\n\nIt works.", "It works.", ""},
		"a list's footer":        {"It works.\n\n_______________________________________________\nTalk mailing list\nTalk@lists.example\nhttps://lists.example/mailman/listinfo/talk", "It works.", ""},
		"a token":                {"It works.\n\nref:_00D5f0Abcd._5005f1WxYz:ref", "It works.", ""},
		"a token, new":           {"It works.\n\n[ ref:!00D5f0Abcd.!5005f1WxYz0:ref ]" + old, "It works.", ""},
		"a token in a line":      {"It works. ref:_00D5f0Abcd._5005f1WxYz:ref Really.", "It works. Really.", ""},
		"a thread's token":       {"It works.\n\nthread::AbCdEfGhIjKlMnOp-1::", "It works.", ""},
		"no token":               {"See ref: 00D and ref:12:ref.", "See ref: 00D and ref:12:ref.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mail := from
			mail.Text = c.in
			got := clean.Split(mail)
			require.Equal(t, c.reply, got.Reply)
			require.Equal(t, c.signature, got.Signature)
			whole(t, got)
		})
	}
}

func TestSplitHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, reply, signature string }{
		"Gmail":                              {`<div dir="ltr">It works.<div><br></div><div>Second line.</div></div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, 3 Mar 2025 at 10:12, Bob &lt;<a href="mailto:bob@desk.example">bob@desk.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><div>Old words.</div></blockquote></div>`, "It works.\n\nSecond line.", ""},
		"Gmail, signed":                      {`<div dir="ltr">It works.<br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature">Ann Example<br>Acme</div></div>`, "It works.", "--\nAnn Example\nAcme"},
		"Gmail, passed on":                   {`<div dir="ltr">See below.<br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>From: <b>Bob</b> &lt;bob@desk.example&gt;<br>Date: Mon, 3 Mar 2025<br>Subject: Invoice<br>To: Ann<br></div><br>Old words.</div></div>`, "See below.\n\n---------- Forwarded message ---------\nFrom: Bob <bob@desk.example>\nDate: Mon, 3 Mar 2025\nSubject: Invoice\nTo: Ann\n\nOld words.", ""},
		"Gmail, between":                     {`<div class="gmail_quote"><div class="gmail_attr">On Mon, 3 Mar 2025 at 10:12, Bob wrote:<br></div><blockquote class="gmail_quote" style="border-left:1px solid">Can you come?</blockquote><div>Yes.</div><blockquote class="gmail_quote" style="border-left:1px solid">And Ann?</blockquote><div>No.</div></div>`, "On Mon, 3 Mar 2025 at 10:12, Bob wrote:\n> Can you come?\nYes.\n> And Ann?\nNo.", ""},
		"Outlook":                            {`<div class="WordSection1"><p class="MsoNormal">It works.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Kind regards<o:p></o:p></p><p class="MsoNormal">Ann Example<o:p></o:p></p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>Von:</b> Bob &lt;bob@desk.example&gt; <br><b>Gesendet:</b> Montag, 3. März 2025 10:12<br><b>An:</b> Ann<br><b>Betreff:</b> Invoice<o:p></o:p></p></div><p class="MsoNormal">Old words.</p></div>`, "It works.", "Kind regards\nAnn Example"},
		"Outlook on the web":                 {`<div>It works.</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> Bob<br><b>Sent:</b> Monday, March 3, 2025 10:12 AM<br><b>To:</b> Ann<br><b>Subject:</b> Invoice</div><div>Old words.</div>`, "It works.", ""},
		"Outlook in a language nobody knows": {`<div>It works.</div><hr><div id="divRplyFwdMsg"><b>Xyz:</b> Bob<br><b>Zyx:</b> 2025</div><div>Old words.</div>`, "It works.", ""},
		"Apple Mail":                         {`<html><body>It works.<div><br><blockquote type="cite"><div>On 3 Mar 2025, at 10:12, Bob &lt;bob@desk.example&gt; wrote:</div><br><div>Old words.</div></blockquote></div></body></html>`, "It works.", ""},
		"Thunderbird": {`<div class="moz-cite-prefix">Dňa 3. 3. 2025 Bob řekl něco:<br></div><blockquote type="cite" cite="mid:x">Old words.</blockquote><p>It works.</p><pre class="moz-signature" cols="72">-- 
Ann Example</pre>`, "It works.", "--\nAnn Example"},
		"Yahoo":           {`<div>It works.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, March 3, 2025 at 10:12:00 AM GMT+1, Bob &lt;bob@desk.example&gt; wrote:</div><div>Old words.</div></div>`, "It works.", ""},
		"Outlook's phone": {`<div>It works.</div><div id="ms-outlook-mobile-signature">Get <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr><div id="divRplyFwdMsg"><b>From:</b> Bob<br><b>Sent:</b> Monday, March 3, 2025<br><b>To:</b> Ann<br><b>Subject:</b> Invoice</div>Old words.`, "It works.", "Get Outlook for iOS <https://aka.ms/o0ukef>"},
		"indented":        {`<p>We need:</p><blockquote style="margin:0 0 0 40px;border:none;padding:0px">Paper</blockquote>`, "We need:\n\nPaper", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mail := from
			mail.HTML = c.in
			got := clean.Split(mail)
			require.Equal(t, c.reply, got.Reply)
			require.Equal(t, c.signature, got.Signature)
			whole(t, got)
		})
	}
}

func TestSplitTakesTheBetterWitness(t *testing.T) {
	t.Parallel()
	require.Equal(t, "It works, and it always did.", clean.Split(clean.Mail{Text: "It works,\nand it always did.", HTML: "<p>It works, and it always did.</p>"}).Reply)
	require.Equal(t, "It works, and it always did.", clean.Split(clean.Mail{Text: "It works, and it always did.", HTML: "<p>See text.</p>"}).Reply)
	require.Equal(t, "It works.", clean.Split(clean.Mail{Text: "It works.", HTML: "<img src=x>"}).Reply)
}

func TestSplitNamesItsRules(t *testing.T) {
	t.Parallel()
	mail := from
	mail.Text = "It works.\n\nRegards,\nAnn\n\nOn Mon, 3 Mar 2025 at 10:12, Bob <bob@desk.example> wrote:\n> Old words.\n\nref:_00D5f0Abcd._5005f1WxYz:ref"
	got := clean.Split(mail)
	var rules []string
	for _, s := range got.Spans {
		rules = append(rules, string(s.Kind)+" "+s.Rule)
	}
	require.Equal(t, []string{"signature closing", "quote wrote", "quote prefix", "token ref"}, rules)
	require.Equal(t, clean.Version, got.Version)
}

// whole asserts that the parts are made of the text and of nothing else: what no
// span set apart is the reply, word by word.
func whole(t *testing.T, r clean.Result) {
	t.Helper()
	at := 0
	var rest strings.Builder
	var quoted, signed []string
	for _, s := range r.Spans {
		require.GreaterOrEqual(t, s.Start, at, "spans are in order and apart: %v", r.Spans)
		require.Greater(t, s.End, s.Start)
		require.LessOrEqual(t, s.End, len(r.Text))
		require.NotEmpty(t, s.Rule)
		rest.WriteString(r.Text[at:s.Start])
		rest.WriteByte(' ')
		switch s.Kind {
		case clean.Quote:
			quoted = append(quoted, r.Text[s.Start:s.End])
		case clean.Signature:
			signed = append(signed, r.Text[s.Start:s.End])
		}
		at = s.End
	}
	rest.WriteString(r.Text[at:])
	require.Equal(t, strings.Fields(rest.String()), strings.Fields(r.Reply))
	if !strings.Contains(r.Text, "ref:") && !strings.Contains(r.Text, "thread::") {
		require.Equal(t, strings.Fields(strings.Join(quoted, " ")), strings.Fields(r.Quoted))
		require.Equal(t, strings.Fields(strings.Join(signed, " ")), strings.Fields(r.Signature))
	}
	for _, part := range []string{r.Text, r.Reply, r.Quoted, r.Signature} {
		wellFormed(t, part)
	}
}

func TestSplitRealMails(t *testing.T) {
	empty, text := 0, 0
	for _, l := range letters(t) {
		got := clean.Split(clean.Mail{Text: l.text, HTML: l.html, FromName: l.fromName, FromAddress: l.from, Subject: l.subject})
		whole(t, got)
		require.Equal(t, got, clean.Split(clean.Mail{Text: l.text, HTML: l.html, FromName: l.fromName, FromAddress: l.from, Subject: l.subject}))
		if got.Text != "" {
			text++
		}
		if got.Text != "" && got.Reply == "" {
			empty++
			t.Logf("%s: nothing left of %q", l.name, got.Text[:min(len(got.Text), 200)])
		}
	}
	require.LessOrEqual(t, empty, text/50, "mails that nothing is left of")
}

func FuzzSplit(f *testing.F) {
	for _, lines := range attributions {
		f.Add("It works.\n\n"+lines[0]+"\n> Old words.\nYes.\n> And?\n\n-- \nAnn", "Ann", false)
	}
	for _, block := range headerBlocks {
		f.Add("It works.\n\nThanks,\nAnn\n\n"+block+"\n\nOld words.\nref:_00D5f0Abcd._5005f1WxYz:ref", "Ann", false)
	}
	for _, line := range hostileEndings {
		f.Add("It works.\n"+line+line+line, "Ann Example", false)
	}
	f.Add("<p>a</p><hr><div id=divRplyFwdMsg>x: y</div><blockquote type=cite>z</blockquote><pre class=moz-signature>-- </pre>", "a", true)
	f.Fuzz(func(t *testing.T, in, name string, html bool) {
		mail := clean.Mail{Text: in, FromName: name, FromAddress: "ann@acme.example", Subject: "Re: x"}
		if html {
			mail.HTML, mail.Text = in, ""
		}
		got := clean.Split(mail)
		whole(t, got)
		require.Equal(t, got, clean.Split(mail))
	})
}

func BenchmarkSplit(b *testing.B) {
	measure := func(b *testing.B, mails []clean.Mail) {
		b.Helper()
		size := 0
		for _, m := range mails {
			size += len(m.Text) + len(m.HTML)
		}
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			for _, m := range mails {
				clean.Split(m)
			}
		}
	}
	var texts, htmls, made []clean.Mail
	for _, l := range letters(b) {
		m := clean.Mail{FromName: l.fromName, FromAddress: l.from, Subject: l.subject}
		if m.HTML = l.html; m.HTML != "" {
			htmls = append(htmls, m)
		}
		if m.Text, m.HTML = l.text, ""; m.Text != "" {
			texts = append(texts, m)
		}
	}
	for _, html := range generatedHTML(200) {
		made = append(made, clean.Mail{HTML: html, FromName: "Martha Quill", FromAddress: "martha@acme.example"})
	}
	b.Run("real text", func(b *testing.B) { measure(b, texts) })
	b.Run("real HTML", func(b *testing.B) { measure(b, htmls) })
	b.Run("generated HTML", func(b *testing.B) { measure(b, made) })
}
