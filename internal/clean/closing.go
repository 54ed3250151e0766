package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What a line at the end of a mail may be.
type closing uint8

const (
	closesNothing closing = iota
	// closesAlone ends a mail whatever follows: "Kind regards".
	closesAlone
	// closesNamed ends a mail if a name follows, and says something if not: "Thanks".
	closesNamed
)

// Bounds of a line that closes a mail.
const (
	longestClosing      = 120 // bytes
	longestFormula      = 240 // one that is a sentence
	longestClosingWords = 12
)

// hopes are said, but close a mail before a comma and a name.
var hopes = foldedPhrases(`
	looking forward to hearing from you|looking forward to hearing from you soon|i look forward to hearing from you|i look forward to hearing from you soon|we look forward to hearing from you|looking forward to your reply|looking forward to your response|looking forward to your answer|i look forward to your reply|i look forward to your response|hope to hear from you soon|hoping to hear from you soon|awaiting your reply|in anticipation of your reply|
	in erwartung ihrer antwort|ich freue mich auf ihre antwort|wir freuen uns auf ihre antwort|ich freue mich auf ihre rückmeldung|wir freuen uns auf ihre rückmeldung|
	dans l'attente de votre réponse|dans l'attente de votre retour|en attente de votre réponse|en attente de votre retour|dans l'attente de vous lire|
	quedo a la espera de su respuesta|a la espera de su respuesta|a la espera de sus noticias|in attesa di un suo riscontro|in attesa di una sua risposta|resto in attesa di un suo riscontro|
	aguardo o seu retorno|aguardo seu retorno|aguardo a sua resposta|no aguardo|in afwachting van uw antwoord|in afwachting van uw reactie|jeg ser frem til at høre fra dig|ser fram emot ditt svar|
`)

// formulas begin the sentences that letters are closed with.
var formulas = []string{
	"je vous prie d'agreer", "je vous prie de croire", "je vous prie de recevoir", "nous vous prions d'agreer", "nous vous prions de croire", "nous vous prions de recevoir", "veuillez agreer", "veuillez recevoir", "veuillez croire", "je vous prie, ", "recevez, madame", "recevez, monsieur",
	"le saluda atentamente", "les saluda atentamente", "sin otro particular, ", "sin mas por el momento", "in attesa di un cortese riscontro", "in attesa di un suo riscontro, porg", "porgo cordiali saluti", "porgiamo cordiali saluti", "porgo distinti saluti",
}

// closingWords end what is said, alone or with words of courtesy around them. Here and
// below, words are compared as [folded] makes them, so accents do not matter.
var closingWords = foldedWords(`
	regards|regard|rgds|rgrds|regds|sincerely|respectfully|faithfully|salutations|
	grüße|grüßen|grüsse|gruß|gruss|gruesse|gruessen|grüßle|hochachtungsvoll|mfg|
	cordialement|sincèrement|cdlt|amicalement|respectueusement|
	saludos|saludo|slds|atentamente|atte|cordialmente|salutacions|atentament|agarimosamente|
	saluti|saluto|cordialità|distintamente|
	atenciosamente|cumprimentos|saudações|
	groet|groeten|groetjes|mvg|hoogachtend|
	hälsning|hälsningar|mvh|hilsen|hilsner|helsing|kveðja|kveðjur|högaktningsfullt|vänligen|
	terveisin|terveiset|ystävällisesti|lugupidamisega|tervitades|cieņu|sveicieniem|pagarbiai|pagarba|linkėjimais|
	pozdrawiam|pozdrawiamy|poważaniem|pozdrowienia|pozdrowieniami|szacunku|
	pozdravem|pozdravom|pozdravujem|pozdravuji|pozdravy|úctou|pozdrav|pozdravi|poštovanjem|spoštovanjem|
	уважением|пожеланиями|повагою|побажаннями|поздрави|уважение|поздравом|поздрав|поштовањем|почит|приветом|
	εκτίμηση|χαιρετισμούς|χαιρετισμό|
	üdvözlettel|tisztelettel|köszönettel|udv|udvozlettel|
	saygılarımla|saygılarımızla|saygılar|
	בברכה|תחיות|تحياتي|تحية|احترام|
	trân trọng|敬具|此致|敬礼|祝好|謹啓|拝|
`)

// courtesies stand around closingWords, and close nothing themselves.
var courtesies = foldedWords(`
	best|kind|kindest|warm|warmest|with|my|our|and|very|many|sincere|friendly|fond|cordial|high|highest|good|personal|your|yours|thanks|thank|you|truly|in|advance|again|a|all|the|to|of|from|wishes|
	mit|den|dem|ihre|ihr|freundlichen|freundlichem|freundliche|freundlicher|freundl|viele|vielen|beste|besten|liebe|lieben|lieber|herzliche|herzlichen|schöne|schönen|sonnige|nette|netten|bester|ganz|und|gruß|dank|danke|
	bien|très|sincères|vôtre|meilleures|cordiales|distinguées|amicales|respectueuses|avec|mes|nos|toutes|et|merci|à|vous|mes|
	un|una|cordial|cordiale|cordiales|muy|reciba|reciban|le|les|saluda|saludamos|atento|atentos|gracias|y|e|fuerte|afectuoso|con|os|más|mejores|
	cordiali|distinti|cari|caro|tanti|i|migliori|molti|grazie|più|
	com|meus|melhores|muito|obrigado|obrigada|atenciosos|
	met|vriendelijke|hartelijke|beste|vriendelijk|warme|lieve|zonnige|en|
	med|vänlig|vänliga|bästa|varma|många|och|venlig|venlige|bedste|de|mange|og|vennlig|beste|kærlig|kærlige|kær|bestu|með|kveðju|kærar|varme|
	ystävällisin|parhain|parhaat|ystävälliset|kaunein|sydämellisin|ja|parimate|soovidega|ar|su|geriausiais|labākajiem|
	serdecznie|serdeczne|serdecznymi|z|łączę|wyrazami|i|najlepszymi|
	s|priateľským|prianím|pekného|dňa|přáním|hezkého|pěkného|dne|přátelským|srdečným|srdečné|s|hezkým|pěkným|srdačan|srdačno|lijep|lep|lepo|lepim|lepimi|sa|iskrenim|
	с|наилучшими|глубоким|искренним|искренне|добрыми|з|найкращими|щирою|срдачан|срдечан|със|најдобри|
	με|φιλικούς|θερμούς|εγκάρδιους|φιλικά|πολλούς|
	szívélyes|baráti|cu|deosebită|mult|
	en|içten|iyi|dileklerimle|
	מע|רב|בכבוד|مع|أطيب|خالص|وافر|كل|با|
`)

// joiners stand between two ways to close a mail.
var joiners = foldedWords(`and|und|et|y|e|og|och|en|i|a|и|та|i|ja|ve|és|și|si|n|u|kaj`)

// places come behind closingWords: "Viele Grüße aus Berlin".
var places = foldedWords(`aus|from|de|desde|da|van|uit|från|fra|z|ze|iz|из|з|depuis|din`)

// closingPhrases end what is said.
var closingPhrases = foldedPhrases(`
	best wishes|with best wishes|all best wishes|with all good wishes|sincerely yours|yours sincerely|yours truly|truly yours|yours faithfully|yours respectfully|at your service|rgds|m v h|m f g|m v g|m vr gr|k regards|b regards|b rgds|br rgds|
	mit freundlichen grüßen|freundliche grüße|i a|i v|glg|mit bestem dank|
	bien à vous|bien à toi|sincères salutations|
	reciba un cordial saludo|un cordial saludo|quedo a su disposición|
	cordiali saluti|distinti saluti|
	med vänliga hälsningar|de bedste hilsner|
	ar cieņu|su pagarba|
	z poważaniem|z wyrazami szacunku|łączę wyrazy szacunku|
	s pozdravem|s úctou|
	с уважением|з повагою|искренне ваш|искренне ваша|щиро ваш|с поздравом|
	με εκτίμηση|με τιμή|
	cu stimă|cu respect|cu deosebită considerație|cu considerație|
	בכבוד רב|مع التحية|مع التحيات|مع خالص التحية|مع فائق الاحترام|وتفضلوا بقبول فائق الاحترام|وتفضلوا بقبول فائق التقدير|مع أطيب التحيات|با احترام|با تشکر و احترام|
	trân trọng|trân trọng kính chào|kính thư|hormat kami|hormat saya|
	ขอแสดงความนับถือ|ด้วยความเคารพ|
	此致敬礼|顺祝商祺|順頌商祺|顺颂商祺|祝工作顺利|祝工作愉快|敬上|謹上|草々|
	드림|올림|सादर
`)

// namedPhrases end what is said where a name follows, and are said where none does.
var namedPhrases = foldedPhrases(`
	best|all the best|all best|cheers|yours|love|lots of love|xoxo|ciao|take care|warmly|cordially|br|kr|bye|goodbye|bye for now|see you|see ya|see you soon|until then|till then|talk soon|speak soon|good day|my best|be well|peace|later|ttyl|hugs|ta|cheerio|
	have a nice day|have a great day|have a good day|have a lovely day|have a good one|have a nice weekend|have a great weekend|have a good weekend|have a nice evening|have a good evening|have a great week|have a nice time|have a wonderful day|have a fantastic day|have a great one|have a wonderful weekend|have a lovely weekend|have a great evening|have a good week|enjoy your day|enjoy your weekend|enjoy the weekend|stay safe|stay well|warm wishes|with gratitude|with appreciation|all my best|talk to you soon|speak to you soon|very truly yours|respectfully yours|
	thanks|thank you|many thanks|thanks a lot|thank you very much|thanks very much|thanks so much|thank you so much|thanks in advance|thank you in advance|many thanks in advance|thanks a million|thanks a bunch|thx|thnx|tnx|tks|thanks again|thank you again|thanks for now|thanks for all|thanks all|thanks everyone|thanks everybody|thanks team|thanks guys|thanks folks|thanks both|thank you all|cheers all|thanks much|with thanks|with many thanks|kind thanks|thankfully|gratefully|
	vg|lg|bg|auf wiedersehen|bis dann|bis bald|bis morgen|tschüss|ciao|alles gute|schönen tag|schönen tag noch|schönes wochenende|schönen abend|schönen abend noch|schönen feierabend|schöne woche|einen schönen tag|einen schönen tag noch|ein schönes wochenende|hg|sg|es grüßt|danke|vielen dank|besten dank|danke schön|dankeschön|danke sehr|danke im voraus|vielen dank im voraus|herzlichen dank|vielen dank vorab|danke vorab|danke und gruß|
	merci|merci beaucoup|merci d'avance|merci bien|mille mercis|bonne journée|bonne soirée|bonne fin de journée|belle journée|bon week-end|bon weekend|excellente journée|très bonne journée|bonne soirée à vous|bonne journée à vous|bonne journée à toi|cdt|bonne réception|à bientôt|au revoir|salut|bises|bisous|amitiés|
	gracias|muchas gracias|mil gracias|gracias de antemano|muchas gracias de antemano|un fuerte abrazo|quedo atento|quedo atenta|quedamos atentos|abrazo|buen día|buen fin de semana|feliz día|que tenga un buen día|que tengas un buen día|salud|adiós|hasta luego|hasta pronto|un abrazo|abrazos|adéu|un beso|besos|gràcies|moltes gràcies|grazas|
	grazie|grazie mille|molte grazie|tante grazie|grazie in anticipo|a presto|arrivederci|buona giornata|buona serata|buon lavoro|buon weekend|buon fine settimana|un abbraccio|un caro saluto|
	obrigado|obrigada|muito obrigado|muito obrigada|grato|grata|bom fim de semana|bom trabalho|desde já agradeço|adeus|até logo|até breve|abraços|abraço|um abraço|att|att.te|abs|beijos|
	bedankt|dank u|dank u wel|dank je|dank je wel|alvast bedankt|hartelijk dank|hartelijk bedankt|vriendelijk bedankt|fijne dag|prettige dag|fijn weekend|prettig weekend|fijne avond|fijne dag verder|tot snel|tot ziens|gr|
	tack|tack på förhand|stort tack|tack så mycket|ha det bra|ha det|tack och hej|allt gott|hälsar|vh|trevlig helg|ha en bra dag|ha en fin dag|med hälsning|god helg|god dag|god weekend|hav en god dag|fortsat god dag|ha en god dag|hej då|farvel|ha det godt|kram|tak|på forhånd tak|mange tak|knus|kh|dbh|takk|mange takk|på forhånd takk|ha en fin dag|klem|takk fyrir|
	kiitos|kiitos etukäteen|kiitos jo etukäteen|paljon kiitoksia|terv|t|yt|näkemiin|hyvästi|mukavaa päivää|hyvää viikonloppua|mukavaa viikonloppua|hyvää päivänjatkoa|yst terv|aitäh|tänan|ette tänades|paldies|ačiū|
	dziękuję|dzięki|dziękuję z góry|z góry dziękuję|miłego dnia|do widzenia|do zobaczenia|z pozdrowieniami|pozdro|pozdr|dobrego dnia|miłego weekendu|udanego dnia|
	děkuji|děkuji předem|předem děkuji|díky|hezký den|pěkný den|přeji hezký den|přeji pěkný den|přeji krásný den|krásný den|mějte se hezky|mějte se|s přáním hezkého dne|přáním hezkého dne|přáním pěkného dne|s přáním pěkného dne|zdraví|na shledanou|dovidenia|ďakujem|vopred ďakujem|prajem pekný deň|
	спасибо|заранее спасибо|большое спасибо|благодарю|до свидания|всего доброго|до побачення|довиждане|всего хорошего|удачи|хороших выходных|щиро|всього найкращого|на все добре|хорошего дня|дякую|наперед дякую|гарного дня|благодаря|предварително благодаря|лек ден|
	hvala|hvala unaprijed|hvala vnaprej|unaprijed hvala|hvala lijepa|hvala lepo|lp|ugodan dan|doviđenja|nasvidenje|довиђења|хвала|хвала унапред|
	ευχαριστώ|ευχαριστώ πολύ|ευχαριστώ εκ των προτέρων|φιλικά|αντίο|καλή συνέχεια|καλή σας μέρα|καλή συνέχεια|καλή σας μέρα|
	köszönöm|köszönöm szépen|előre is köszönöm|üdv|szép napot|viszlát|viszontlátásra|
	teşekkürler|teşekkür ederim|çok teşekkürler|şimdiden teşekkürler|iyi çalışmalar|iyi günler|iyi çalışmalar dilerim|iyi günler dilerim|kolay gelsin|sevgiler|selamlar|hoşça kalın|görüşmek üzere|
	mulțumesc|multumesc|mulțumesc anticipat|cu drag|numai bine|toate cele bune|la revedere|cu bine|o zi bună vă urez|o zi bună|o zi frumoasă|
	תודה|תודה רבה|יום טוב|יום נעים|שכרا|شكرا|شكراً|شكرا جزيلا|با تشکر|ممنون|cảm ơn|thân mến|terima kasih|salam|salam hormat|salam hangat|terima kasih dan salam|ขอบคุณ|ขอบคุณครับ|ขอบคุณค่ะ|
	よろしくお願いします|よろしくお願いいたします|よろしくお願い致します|宜しくお願いします|宜しくお願いいたします|宜しくお願い致します|どうぞよろしくお願いいたします|ありがとうございます|ありがとうございました|以上|以上、よろしくお願いいたします|
	谢谢|謝謝|感謝您|感谢您|多谢|感谢|谢谢您|祝您工作愉快|감사합니다|고맙습니다|안녕히 계세요|수고하세요|धन्यवाद|शुक्रिया
`)

// signers are phrases that thank nobody: the name behind them is the sender's.
var signers = foldedPhrases(`lg|vg|bg|glg|hg|sg|br|kr|mfg|mvh|kh|dbh|gr|abs|att|best|all the best|my best|love|lots of love|yours|warmly|cordially`)

// longestPhrase is how many words the longest of the phrases above has.
const longestPhrase = 6

// folded is a text in lower case without accents, so that "Grüßen", "grußen" and
// "GRÜSSEN" are the same.
func folded(text string) string {
	if !hasHighByte(text) {
		return strings.ToLower(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range text {
		switch {
		case int(c) < len(foldings):
			b.WriteString(foldings[c])
		case c >= 0x4E00 && c <= 0x9FFF: // Han, which is what it is
			b.WriteRune(c)
		case c == '’':
			b.WriteByte('\'')
		case c >= 0x2010 && c <= 0x2027: // dashes and quotation marks
			b.WriteRune(c)
		case c >= firstKana && c < firstKana+rune(len(kana)):
			b.WriteString(kana[c-firstKana])
		default:
			return decomposed(text)
		}
	}
	return b.String()
}

// foldings are the characters of the alphabets of Europe and of Hebrew as [folded]
// makes them: nothing of accents, whose order does not matter therefore.
var foldings = func() (out [0x600]string) {
	for c := range out {
		out[c] = decomposed(string(rune(c)))
	}
	return out
}()

// kana are the same for the syllables and the punctuation of Japanese, from firstKana on.
var kana = func() (out [0x100]string) {
	for c := range out {
		out[c] = decomposed(string(firstKana + rune(c)))
	}
	return out
}()

const firstKana = 0x3000

// decomposed is folded of any text.
func decomposed(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range norm.NFD.String(text) {
		switch c = unicode.ToLower(c); c {
		case 'ß':
			b.WriteString("ss")
		case 'ø':
			b.WriteByte('o')
		case 'ł':
			b.WriteByte('l')
		case 'đ', 'ð':
			b.WriteByte('d')
		case 'ı':
			b.WriteByte('i')
		case 'æ':
			b.WriteString("ae")
		case 'œ':
			b.WriteString("oe")
		case 'ς':
			b.WriteRune('σ')
		case '’':
			b.WriteByte('\'')
		default:
			if c < utf8.RuneSelf || !unicode.Is(unicode.Mn, c) {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

func foldedWords(list string) map[string]bool { return words(folded(list)) }

// foldedPhrases makes a set of phrases, each with one blank between its words.
func foldedPhrases(list string) map[string]bool {
	out := map[string]bool{}
	for phrase := range words(folded(list)) {
		var parts []string
		for _, w := range spokenWords(phrase, longestClosingWords) {
			parts = append(parts, w.text)
		}
		out[strings.Join(parts, " ")] = true
	}
	return out
}

// spoken is a word of a line, and where it begins there.
type spoken struct {
	text string
	at   int
}

// spokenWords are the first words of a folded line, without what stands between them.
func spokenWords(text string, most int) []spoken { return appendSpoken(nil, text, most) }

// appendSpoken appends what spokenWords gives.
func appendSpoken(out []spoken, text string, most int) []spoken {
	start := -1
	for i, c := range text {
		in := c == '\'' && start >= 0 || c < utf8.RuneSelf && (isLetter(byte(c)) || isDigit(byte(c))) ||
			c >= utf8.RuneSelf && (unicode.IsLetter(c) || unicode.Is(unicode.M, c))
		switch {
		case in && start < 0:
			start = i
		case !in && start >= 0:
			out = append(out, spoken{text[start:i], start})
			if start = -1; len(out) == most {
				return out
			}
		}
	}
	if start >= 0 {
		out = append(out, spoken{text[start:], start})
	}
	return out
}

// closes reports whether a line closes a mail, and whether the name is in it.
func (m *mail) closes(text string) (kind closing, named bool) {
	if signedKorean(text) {
		return closesAlone, true
	}
	if len(text) > longestFormula || !mayClose(text) || strings.HasSuffix(text, "?") || strings.Contains(text, "://") {
		return closesNothing, false
	}
	if len(text) > longestClosing && !mayBeFormula(text) {
		return closesNothing, false
	}
	if !hasHighByte(text) && !mayBeFormula(text) && tooManySpoken(text) {
		return closesNothing, false
	}
	fold := folded(text)
	if mayBeFormula(fold) && hasAnyPrefix(fold, formulas...) {
		return closesAlone, false
	}
	if len(text) > longestClosing {
		return closesNothing, false
	}
	var room [longestClosingWords + 1]spoken
	line := appendSpoken(room[:0], fold, longestClosingWords+1)
	if len(line) == 0 || len(line) > longestClosingWords {
		return closesNothing, false
	}
	if text[len(text)-1] == ',' && hopes[joinSpoken(line)] {
		return closesNamed, false
	}
	at, sure, signs := 0, false, false // sure: a name may follow without anything between
	for at < len(line) {
		if n, k := phraseOf(line[at:]); n > 1 || n == 1 && (!courtesies[line[at].text] || !headed(line[at+1:])) {
			if kind != closesAlone {
				kind = k
			}
			signs = n <= 3 && signers[joinSpoken(line[at:at+n])]
			sure = n > 1 || signs && len(line[at].text) <= 3
			at += n
			continue
		}
		if n := courtesyOf(line[at:]); n > 0 {
			kind = closesAlone
			at += n
			sure = true
			if at < len(line) && places[line[at].text] && len(line)-at <= 5 {
				return closesAlone, false
			}
			continue
		}
		if kind != closesNothing && at+1 < len(line) && joiners[line[at].text] {
			if n, _ := phraseOf(line[at+1:]); n > 0 || courtesyOf(line[at+1:]) > 0 {
				at++
				continue
			}
		}
		break
	}
	if kind == closesNothing || at == len(line) {
		return kind, false
	}
	// What is left may be the name: "Best regards, Ann Example".
	rest := restOf(text, fold, line[at].at)
	before := strings.TrimRight(fold[:line[at].at], " ")
	apart := before != "" && strings.ContainsAny(before[len(before)-1:], ",!.-–—*/|:")
	switch {
	case m.isName(rest):
		return closesAlone, true
	case signs && (sure || apart) && isCapitalized(rest, 2) && isShortName(rest):
		return closesAlone, true
	case kind == closesAlone && (sure || apart) && isCapitalized(strings.NewReplacer(",", "", "|", "").Replace(rest), 5):
		return closesAlone, true
	case kind == closesAlone && apart:
		// "Regards, Ann Example, head of purchasing"
		if name, _, ok := strings.Cut(rest, ","); ok && isCapitalized(name, 3) && countWords(rest) <= 9 {
			return closesAlone, true
		}
	}
	return closesNothing, false
}

// tooManySpoken reports whether a line of ASCII has more words than one that closes a mail.
func tooManySpoken(text string) bool {
	words, in := 0, false
	for i := range len(text) {
		c := text[i]
		is := isLetter(c) || isDigit(c) || c == '\'' && in
		if is && !in {
			if words++; words > longestClosingWords {
				return true
			}
		}
		in = is
	}
	return false
}

// signedKorean reports whether a line is a name with the verb that Koreans sign with.
func signedKorean(text string) bool {
	name, ok := strings.CutSuffix(text, " 드림")
	if !ok {
		name, ok = strings.CutSuffix(text, " 올림")
	}
	return ok && len(name) <= 30 && strings.Count(name, " ") <= 1 && unicode.Is(unicode.Hangul, firstRune(name))
}

// How a word that a line begins with may close a mail.
const (
	startsPhrase   = 1 << iota // with the words that follow it
	startsCourtesy             // if one of the words that follow it closes
)

// closingStarts are the words that lines begin with that close a mail.
var closingStarts = func() map[string]uint8 {
	out := map[string]uint8{}
	for _, set := range []map[string]bool{courtesies, joiners} {
		for w := range set {
			out[w] |= startsCourtesy
		}
	}
	for w := range closingWords {
		out[w] |= startsPhrase
	}
	for _, set := range []map[string]bool{closingPhrases, namedPhrases, hopes} {
		for phrase := range set {
			first, _, _ := strings.Cut(phrase, " ")
			out[first] |= startsPhrase
		}
	}
	for _, formula := range formulas {
		out[spokenWords(formula, 1)[0].text] |= startsPhrase
	}
	return out
}()

// formulaStarts has a bit for the first three bytes of each formula.
var formulaStarts = func() (k keys) {
	for _, f := range formulas {
		k.add(f)
	}
	return k
}()

// closingKeys has a bit for the first three bytes of each of closingStarts.
var closingKeys = func() (k keys) {
	for w := range closingStarts {
		if len(w) > 2 {
			k.add(w)
		}
	}
	return k
}()

// mayBeFormula is a quick look: does a line begin as a formula does? What is not ASCII is
// read with care.
func mayBeFormula(text string) bool {
	if len(text) < 3 {
		return false
	}
	if text[0]|text[1]|text[2] >= utf8.RuneSelf {
		return true
	}
	return formulaStarts.has(lower(text[0]), lower(text[1]), lower(text[2]))
}

// longestStart bounds the word that a line begins with that closes a mail: a whole
// clause where no blanks are written.
const longestStart = 72

// mayClose is a quick look: does a line begin as those do that close a mail?
func mayClose(text string) bool {
	start := 0
	for start < len(text) && !isWordByte(text[start]) {
		if text[start] >= utf8.RuneSelf {
			c, size := utf8.DecodeRuneInString(text[start:])
			if unicode.IsLetter(c) {
				break
			}
			start += size
			continue
		}
		start++
	}
	end, ascii := start, true
	for end < len(text) && (isWordByte(text[end]) || text[end] >= utf8.RuneSelf) {
		if text[end] >= utf8.RuneSelf {
			c, size := utf8.DecodeRuneInString(text[end:])
			if !unicode.IsLetter(c) && !unicode.Is(unicode.M, c) && c != '’' {
				break
			}
			ascii = false
			end += size
			continue
		}
		end++
	}
	if end == start || end-start > longestStart {
		return false
	}
	if !ascii {
		word := folded(text[start:end])
		return closingStarts[word] != 0 || closingStarts[strings.TrimRight(word, "'")] != 0
	}
	if end-start > 2 && !closingKeys.has(lower(text[start]), lower(text[start+1]), lower(text[start+2])) {
		return false
	}
	var word [longestStart]byte
	for i := start; i < end; i++ {
		word[i-start] = lower(text[i])
	}
	starts := closingStarts[string(word[:end-start])]
	return starts&startsPhrase != 0 || starts != 0 && mayCloseLater(text[end:])
}

// mayCloseLater is a quick look at the words that follow a word of courtesy.
func mayCloseLater(text string) bool {
	begins := true
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			return true // it is read with care
		case !isWordByte(c):
			begins = true
		case begins:
			begins = false
			if len(text)-i < 3 || text[i+1]|text[i+2] >= utf8.RuneSelf || closingWordKeys.has(lower(c), lower(text[i+1]), lower(text[i+2])) {
				return true
			}
		}
	}
	return false
}

// closingWordKeys has a bit for the first three bytes of each of closingWords.
var closingWordKeys = func() (k keys) {
	for w := range closingWords {
		k.add(w + " ")
	}
	return k
}()

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '\'' }

// restOf is the end of a text whose folded form goes on at a given byte. Folding may
// change lengths, so it is found from the end, word by word.
func restOf(text, fold string, at int) string {
	if len(text) == len(fold) {
		return text[at:]
	}
	n := len(strings.Fields(fold[at:]))
	end := len(text)
	for ; n > 0; n-- {
		end = strings.LastIndexFunc(strings.TrimRightFunc(text[:end], unicode.IsSpace), unicode.IsSpace) + 1
	}
	return text[end:]
}

// phraseOf is how many words of a line a known phrase takes, the longest there is.
func phraseOf(line []spoken) (n int, kind closing) {
	if closingStarts[line[0].text]&startsPhrase == 0 {
		return 0, closesNothing
	}
	var room [longestClosing]byte
	key := room[:0]
	for i, w := range line[:min(len(line), longestPhrase)] {
		if i > 0 {
			key = append(key, ' ')
		}
		key = append(key, w.text...)
		switch {
		case closingPhrases[string(key)]:
			n, kind = i+1, closesAlone
		case namedPhrases[string(key)]:
			n, kind = i+1, closesNamed
		}
	}
	return n, kind
}

// joinSpoken are some words with one blank between them.
func joinSpoken(line []spoken) string {
	if len(line) == 1 {
		return line[0].text
	}
	parts := make([]string, len(line))
	for i, w := range line {
		parts[i] = w.text
	}
	return strings.Join(parts, " ")
}

// courtesyOf is how many words a closer and the words of courtesy around it take.
func courtesyOf(line []spoken) (n int) {
	for i, w := range line {
		switch {
		case closingWords[w.text]:
			n = i + 1
		case n > 0 && n == i && courtesies[w.text]:
			n = i + 1 // "Pozdrawiam serdecznie"
		case !courtesies[w.text] && !joiners[w.text]:
			return n
		}
	}
	return n
}

// headed reports whether a closer comes before any word that is no courtesy.
func headed(line []spoken) bool {
	for _, w := range line {
		if closingWords[w.text] {
			return true
		}
		if !courtesies[w.text] {
			return false
		}
	}
	return false
}

var aroundClosings = charsetOf(" ,.;:!-–—*_~…。，、！\u00a0\u200e\u200f/")

// trimClosing takes the marks off that people put around their names.
func trimClosing(text string) string {
	return aroundClosings.trim(text)
}
