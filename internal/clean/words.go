package clean

import "strings"

// What mail programs write around other people's words, by language. Everything is
// in lower case; order does not matter. A language is added by adding its words.

// wrote ends (or, in Germanic languages, stands in the middle of) the line above a
// quotation: "On …, Ann wrote:".
var wrote = words(`
	wrote|writes|wrote on|has written|wrote the following
	schrieb|schrieben|schrieben sie|hat geschrieben|schreibt|geschrieben
	a écrit|écrit|a ecrit|ecrivait|écrivait|ont écrit
	escribió|escribio|escribieron|ha escrito|va escriure|ha escrit|missatge de|escriu|escribiu|escribe
	ha scritto|hanno scritto|scrive|scriveva|scrisse
	escreveu|escreve
	schreef|schreven|heeft geschreven|het volgende geschreven|schrijft
	skrev|skreiv|skriver|skrifaði|har skrivit|har skrevet
	kirjoitti|kirjoittivat|kirjutas|rakstīja|rašė|parašė
	napisał|napisał(a)|napisali|napisała|napisal|napisana|nadesłał|nadesłał(a)|pisze
	napsal|napsal(a)|napsala|napísal|napísal(a)|napísala|píše
	je napisao|je napisala|napisao|napisala|napisal/a|je napisao/la|je napisao(la)|napisao je|napisala je|piše|je napisal|je napisal/a|je napisala
	пишет|писали|писал|писал(а)|писала|написал|написал(а)|написала|пише|написав|написав(ла)|написала|написа|пиша|је написао|је написао/ла|је написала
	έγραψε|έγραψαν|εγραψε
	ezt írta|írta|a következőt írta|következőt írta
	şunu yazdı|yazdı|şunları yazdı|yazmış
	a scris
	כתב|כתבה|כתב/ה|כתבת|כתבו|כותב
	كتب|كتبت|كتب/كتبت|كتبت/كتب|نوشت|نوشته|لکھا
	đã viết|viết
	menulis|telah menulis|berkata
	เขียน|เขียนว่า
	さんは書きました|書きました|のメール|のメッセージ|wrote
	写道|寫道|写到|写了
	작성|님이 작성|님이 씀|씀|작성하였습니다|작성했습니다|쓴 글
	ने लिखा|लिखा
	idatzi du|idatzi zuen|ysgrifennodd|scríobh|scrìobh|napisal-a|shkroi|ka shkruar|жазды|skrifar
`)

// spoke ends such a line as well, and other sentences: more is asked of a line with it.
var spoke = words(`said|says|sent|say|stated|replied|responded|asked|posted|typed|scribbled|mumbled|opined|noted|mentioned|sagte|meinte|a dit|nous a dit|a envoyé|dijo|disse|ha detto|verzond|zei|sa|sade|sanoi`)

// on begins such a line.
var on = words(`
	on|at|in message|in article|in|quoting|citat|le|el|il|il giorno|am|den|em|no dia|op|en date|dana|dne|dňa|w dniu|dnia|od|kl|a|în data|în|pe data|
	på|ons|tor|fre|lør|søn|man|tir|lör|sön|mån|tis|в|от|на|у|στις|την|στο|ב|בתאריך|ביום|في|vào|vào lúc|pada|tanggal|เมื่อ|el dia|op datum|
	az|2|ke|ti|to|pe|la|su|ma|dia|egun|ar|wiadomość|zo|so|di|mi|do|fr|sa|mo|dom
`)

// Labels of the block of headers above a mail that is answered or forwarded.
type label uint8

const (
	labelFrom label = 1 << iota
	labelDate
	labelTo
	labelCopy
	labelSubject
	labelOther
)

var labels = func() map[string]label {
	m := map[string]label{}
	for _, one := range []struct {
		label label
		list  string
	}{
		{labelFrom, `from|von|de|da|van|från|fra|lähettäjä|od|от|від|от кого|від кого|feladó|gönderen|kimden|από|nadawca|expéditeur|remitente|mittente|expeditor|expeditorul|отправитель|відправник|подател|avsender|avsändare|afsender|sendandi|lähettänyt|
			afzender|odesílatel|odosielateľ|pošiljatelj|šalje|de la|saatja|kellelt|no|nuo|frá|差出人|发件人|寄件者|寄件人|보낸 사람|보낸사람|מאת|من|từ|dari|จาก|nork|
			sender|absender|sent by`},
		{labelDate, `sent|date|received|empfangen|reçu|recibido|ricevuto|recebido|ontvangen|mottaget|modtaget|mottatt|vastaanotettu|otrzymano|получено|sent on|sent at|gesendet|gesendet am|datum|envoyé|envoyé le|enviado|enviado el|enviada em|enviado em|enviada|fecha|data|inviato|data invio|
			verzonden|skickat|sendt|dato|lähetetty|päivämäärä|päiväys|wysłano|wysłane|odesláno|odoslané|отправлено|дата|дата и время|надіслано|изпратено|
			elküldve|dátum|küldve|gönderildi|gönderme tarihi|gönderim tarihi|tarih|εστάλη|στάλθηκε|αποστολή|ημερομηνία|poslano|poslato|trimis|dată|data trimiterii|送信日時|日時|日付|
			发送时间|时间|日期|寄件日期|傳送時間|보낸 날짜|날짜|보낸날짜|נשלח|תאריך|تاريخ الإرسال|التاريخ|تم الإرسال|ngày gửi|đã gửi|ngày|dikirim|tanggal|terkirim|ส่ง|วันที่|saadetud|kuupäev|
			nosūtīts|datums|išsiųsta|sent date|date sent|sendt dato|dagsetning|message du`},
		{labelTo, `to|an|à|a|para|aan|till|til|vastaanottaja|vastaanottajat|do|komu|кому|címzett|kime|alıcı|προς|za|prima|către|catre|destinataire|destinatario|pour|pre|adresat|destinatarul|mottaker|mottagare|modtager|ontvanger|получатель|отримувач|viðtakandi|
			宛先|收件人|收件者|받는 사람|받는사람|אל|إلى|tới|đến|kepada|ถึง|saaja|kellele|kam|iki|per a|recipients|empfänger`},
		{labelCopy, `cc|bcc|kopie|kopie (cc)|copie|copie à|copia|kopia|kopi|kopio|dw|udw|копия|копія|másolatot kap|másolat|bilgi|κοιν.|κοιν|kk|kópia|抄送|副本|参照|참조|עותק|نسخة|con copia`},
		{labelSubject, `subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|тема|относно|tárgy|konu|θέμα|zadeva|subiect|subiectul|assumpte|sujet|naslov|предмет|priekšmets|
			件名|主题|主旨|제목|נושא|الموضوع|chủ đề|subjek|perihal|เรื่อง|teema|tēma|tema|efni|gaia|re`},
		{labelOther, `attachments|anlagen|anhang|pièces jointes|importance|wichtigkeit|priority|archivos adjuntos|allegati|anexos|bijlagen|when|where|organization|newsgroups|sensitivity|
			message-id|delivery date|phone|company|folder|reply-to|répondre à|odgovori na|odpověď na|svar til|antwoord aan|beantwoorden - aan|vastaus|antwort an|válaszcím|rispondi a|risposta|odpowiedź-do|responder a|răspuns către|ответ-кому|odpovedať-pre|svara till|yanıt adresi|кому відповісти|on behalf of|x-mailer|organisation|resent-from|prioriteit|priorité|priorität|prioridad|vigtighed|prioritet|viktighet`},
	} {
		for word := range words(one.list) {
			if m[word] == 0 { // a word of two languages means what it was listed for first
				m[word] = one.label
			}
		}
	}
	return m
}()

// original stands between dashes above a mail that is answered.
var original = []string{
	"original message", "original text", "original msg", "original email", "original mail", "original appointment", "reply message", "ursprüngliche nachricht", "ursprungliche nachricht", "originalnachricht", "original-nachricht", "original nachricht", "original mail", "antwort nachricht",
	"ursprünglicher termin", "originalmail", "message d'origine", "message d’origine", "message original", "message initial", "mail original", "e-mail d'origine", "courriel original", "mensaje original", "mensaje anterior", "correo original", "missatge original", "mensaxe orixinal", "messaggio originale", "messaggio originario", "mensagem original", "mensagem original",
	"oorspronkelijk bericht", "oorspronkelijke bericht", "origineel bericht", "originele bericht", "originalbericht", "ursprungligt meddelande", "originalmeddelande", "originalt meddelande", "original meddelande", "ursprungsmeddelande", "original meddelse", "opprinnelig melding", "oprindelig meddelelse", "original meddelelse", "originalbesked", "original besked", "oprindelig besked", "oprindelig mail", "opprinnelig e-post", "originalt melding", "original melding", "svarmeddelelse",
	"alkuperäinen viesti", "oryginalna wiadomość", "wiadomość oryginalna", "původní zpráva", "původní e-mail", "původní mail", "originální zpráva", "pôvodná správa", "pôvodný e-mail", "originálna správa", "originalna správa", "исходное сообщение", "оригинальное сообщение", "первоначальное сообщение",
	"вихідне повідомлення", "оригінальне повідомлення", "оригинално съобщение", "eredeti üzenet", "özgün ileti", "orijinal mesaj", "orjinal mesaj", "αρχικό μήνυμα", "izvorna poruka", "originalna poruka", "izvorno sporočilo",
	"mesaj original", "mesajul original", "mesaj inițial", "元のメッセージ", "原始邮件", "原始郵件", "邮件原件", "郵件原件", "原始信件", "原邮件", "원본 메시지", "원본 메일", "הודעה מקורית", "ההודעה המקורית", "الرسالة الأصلية", "رسالة أصلية", "thư gốc", "tin nhắn gốc",
	"pesan asli", "algne kiri", "algsõnum", "sākotnējais ziņojums", "originalus laiškas", "pirminis laiškas", "upprunaleg skilaboð", "ข้อความต้นฉบับ", "mensagem anterior",
}

// originals are the same, to be found at once.
var originals = setOf(original)

// setOf makes a set of a list.
func setOf(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// forwarded stands between dashes, or before a colon, above a mail that is passed on.
var forwarded = []string{
	"forwarded message", "forwarded by", "forwarded mail", "forwarded text", "forwarded e-mail", "forwarded email", "begin forwarded message", "begin forwarded text", "begin forwarded mail", "start of forwarded message", "weitergeleitete nachricht", "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "weitergeleitet von",
	"message transféré", "message transmis", "message réexpédié", "début du message réexpédié", "début du message transféré", "transféré par", "mensaje reenviado", "inicio del mensaje reenviado", "reenviado por", "missatge reenviat",
	"messaggio inoltrato", "inizio messaggio inoltrato", "inizio del messaggio inoltrato", "mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada", "início da mensagem reencaminhada", "encaminhado por",
	"doorgestuurd bericht", "begin doorgestuurd bericht", "begin van doorgestuurd bericht", "vidarebefordrat meddelande", "vidarebefordrat brev", "vidarebefordrat mejl", "videresendt melding", "videresendt meddelelse",
	"start på videresendt besked", "videresendt besked", "välitetty viesti", "edelleenlähetetty viesti", "välitetty viesti alkaa", "przekazana wiadomość", "wiadomość przekazana", "początek przekazanej wiadomości", "przesłana wiadomość", "wiadomość przesłana dalej", "treść przekazanej wiadomości",
	"přeposlaná zpráva", "přeposlaný e-mail", "preposlaná správa", "пересылаемое сообщение", "пересланное сообщение", "пересылаемое письмо", "переадресованное сообщение", "перенаправленное сообщение", "начало переадресованного сообщения",
	"переслане повідомлення", "переадресоване повідомлення", "препратено съобщение", "továbbított üzenet", "továbbított levél", "yönlendirilen ileti", "yönlendirilen mesaj", "iletilen mesaj", "iletilmiş mesaj", "iletilen ileti", "προωθημένο μήνυμα",
	"proslijeđena poruka", "prosleđena poruka", "posredovano sporočilo", "mesaj redirecționat", "mesaj transmis", "転送されたメッセージ", "転送メッセージ", "转发的邮件", "转发邮件", "轉寄郵件", "转发邮件信息", "전달된 메시지", "전달된 메일", "הודעה שהועברה", "رسالة معاد توجيهها", "الرسالة المحولة",
	"tin nhắn đã chuyển tiếp", "thư chuyển tiếp", "pesan terusan", "pesan yang diteruskan", "edastatud kiri", "edastatud sõnum", "pārsūtīts ziņojums", "persiųstas laiškas", "áframsent skeyti", "ข้อความที่ส่งต่อ",
}

// introductions begin what somebody says to quote something, which is no line of a program.
var introductions = words(`
	as|the|this|that|these|my|our|his|her|their|its|i|we|it|what|where|when|how|if|so|and|but|because|since|like|somebody|someone|nobody|here|there|earlier|before|then|also|
	wie|was|der|die|das|den|dem|ein|eine|mein|meine|unser|unsere|ich|wir|so|und|aber|weil|hier|dort|dann|comme|le|la|les|un|une|mon|ma|notre|je|nous|ce|cette|como|el|los|las|una|mi|nuestro|nuestra|yo|
	come|il|lo|gli|mio|mia|nostro|io|noi|o|os|as|um|uma|meu|minha|nosso|eu|zoals|de|het|een|mijn|ons|onze|ik|wij|jak|как|як
`)

// requests begin what somebody asks for, with an address in it and something quoted below.
var requests = words(`please|send|forward|write|mail|ask|tell|contact|give|show|bitte|veuillez|merci|por|favor|per|proszę|prosím|пожалуйста`)

// quoting begins such a line where nothing but a name follows.
var quoting = words(`quoting|zitat|zitiere|citando|citazione|citat|citation|citaat|quote`)

// forwards begins the subject of a mail that is passed on.
var forwards = words(`fw|fwd|wg|tr|rv|i|enc|vs|vb|doorst|pd|přep|továbbítás|ynt|ilt|пересл|προωθ|转发|轉寄|転送|전달|fwd.|vl|trs|vidarebefordrat`)

// replies begins the subject of an answer.
var replies = words(`re|aw|antw|antwort|sv|odp|res|ris|rif|ref|vs|vá|vl|ynt|yan|απ|σχετ|отв|отг|回复|答复|回覆|返信|回信|re^2|r|bls|atb|odg|tr`)

// greetings begin what is said.
var greetings = words(`
	hi|hello|hey|dear|greetings|good|hallo|guten|lieber|liebe|sehr|moin|servus|bonjour|salut|bonsoir|cher|chère|hola|buenos|buenas|estimado|estimada|querido|ciao|salve|buongiorno|gentile|olá|ola|oi|bom|boa|caro|prezado|prezada|beste|
	geachte|hoi|hej|hei|hi.|kära|kære|kjære|moi|hyvä|terve|cześć|witam|dzień|szanowni|szanowny|ahoj|dobrý|vážený|vážená|zdravím|привет|здравствуйте|добрый|уважаемый|уважаемая|вітаю|добрий|шановний|здравейте|pozdrav|poštovani|zdravo|bok|dragi|
	bună|salutare|szia|kedves|tisztelt|jó|merhaba|selam|sayın|γεια|αγαπητέ|αγαπητή|καλημέρα|שלום|היי|مرحبا|السلام|xin|kính|chào|halo|selamat|สวัสดี|こんにちは|你好|您好|안녕하세요|नमस्ते
`)

// above is written over the place where an answer is wanted.
var above = []string{
	"reply above this line", "reply above this text", "reply above the line", "reply above here", "your reply above", "your response above", "your answer above", "please reply above", "please respond above", "write above this line", "respond above this line", "reply all to above this line", "replies below this line will be ignored", "text below this line", "do not write below this line",
	"antworten sie oberhalb", "antwort oberhalb dieser", "antworten sie über dieser", "antwort bitte über dies", "répondre au-dessus", "répondez au-dessus", "réponse au-dessus", "responda por encima", "respuesta por encima", "respuesta encima", "respuesta arriba de esta", "responda acima", "resposta acima", "rispondi sopra", "rispondere sopra", "risposta sopra",
	"antwoord boven", "reageer boven", "svara ovanför", "svar ovanför", "svar over denne", "skriv over denne", "vastaa tämän rivin yläpuolelle", "odpowiedz powyżej", "odpowiedź powyżej", "odpovězte nad tento", "odpověď nad tento", "ответ выше этой", "ответьте выше", "відповідь вище", "yanıtınızı bu satırın üzerine", "bu satırın üstüne", "请在此行上方", "請在此行上方", "この行より上", "이 줄 위에",
}

// aboveHints is in each of these lines, however it begins.
var aboveHints = []string{"bove", "BOVE", "elow this", "berhalb", "über dies", "dessus", "ncima", "rriba", "cima", "opra", "oven", "over denne", "vanför", "läpuolelle", "owyżej", "nad tento", "ыше", "ище", "üzerine", "üstüne", "上方", "より上", "위에"}

// words makes a set of a list.
func words(list string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		if word = strings.TrimSpace(word); word != "" {
			m[word] = true
		}
	}
	return m
}
