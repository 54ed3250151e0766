package clean_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"salesforcesync/internal/clean"
)

// written are texts as people write them, which nothing may touch: all that is not
// ASCII is letters, quotes, signs and spaces that mojibake is made of as well.
var written = map[string]string{
	"Portuguese":       "NÃO! A situaçÃo: IRMÃ… “MAÇÔ, «IRMû, CORAÇÃO – JOÃO; MAÇÃ² AMANHÃ® É ALEMÃ\u00a0: 1ª, 2º, SÃO PAULO",
	"French":           "Âge d’or, «À», l’été… “Été”, çà et là ; élève à 20 °C, 5 € ; où ? prix négocié€ Noël",
	"Romanian":         "Câte ori? „Înțeleg”, litera â”, ÎN România „coborî”…",
	"Vietnamese":       "Tôi không biết… “Đà Nẵng” – ÂM THANH, cà phê”… người Việt Nam",
	"Swedish":          "“PÅ”, PÅ… Å, på…” nej, blå”, ÄR DET SÅ? – två° Ö",
	"Danish":           "“Æ”, “Ø” og “Å” – få½, Ø£5, NØ… SMØR®",
	"German":           "Größe ÜBER… „Ä“ STRASSE, Maß² für Ü» 30 °C §5 ÄÖÜ",
	"Spanish":          "ESPAÑA… ¿AÑO? ¡SÍ!¿No? Ñ» Ñ“ CAFɮ CAFÉ® MAÑANA” mañana”…",
	"Czech":            "Tomáš”… Lukáš–, Ondráš, Aleš í… Íš ŽÁŠ »Říp« áž”",
	"Icelandic":        "Ð Þ Æ – “Ð”, ÞAÐ… það”… ",
	"signs":            "2×£5 3×½ 5×¥100 ÷² Ø€ 4×¼ × ” Ü® ß»",
	"Polish":           "Żółć “Ó”, KRAKÓW… Ó» gęślą",
	"Turkish":          "İstanbul’da “Ü”, ÖĞRETMENİM… Ç®",
	"emoji":            "👩🏽‍💻 ❤️ 🇩🇪🇫🇷 👨‍👩‍👧‍👦 ☺️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣",
	"right to left":    "\u200fשלום \u202bעולם\u202c مرحبا، كيف حالك؟ \u2067x\u2069",
	"a lonely capital": "Ã Â â Ð Ñ ð",
}

func TestWhatPeopleWriteIsNoMojibake(t *testing.T) {
	t.Parallel()
	for name, text := range written {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text = strings.TrimSpace(text)
			require.Equal(t, text, clean.Text(text))
			for line := range strings.SplitSeq(text, " ") {
				require.Equal(t, line, strings.TrimSpace(clean.Text("x " + line))[min(2, len("x "+line)-len(line)):], "by itself")
			}
		})
	}
}

// misread is what a program makes of UTF-8 that takes it for Windows-1252; for
// Latin-1 where latin is set.
func misread(t testing.TB, s string, latin bool) string {
	t.Helper()
	var b strings.Builder
	for i := range len(s) {
		r := charmap.Windows1252.DecodeByte(s[i])
		if latin || r == utf8.RuneError { // browsers read the five that have none as control characters
			r = rune(s[i])
		}
		b.WriteRune(r)
	}
	return b.String()
}

func TestMojibakeIsMended(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"quotes":       "It’s “fine” – really… don’t worry — 5 € • ™",
		"German":       "Schöne Grüße aus Österreich, Übung macht den Meister, Straße",
		"capitals":     "INFORMAÇÕES E AÇÕES",
		"French":       "Ça a été réglé à Noël, c’est sûr, où ? Œuvre, «oui»",
		"Spanish":      "¿Dónde está la información? Mañana, señor, aquí: día",
		"Portuguese":   "Não, você já está com a informação à mão",
		"Polish":       "Proszę o pomoc, żółć, łódź, Łódź, święta",
		"Czech":        "Příliš žluťoučký kůň, Škoda, Řím, Tomáš",
		"Turkish":      "İstanbul’da çalışıyoruz, teşekkürler, ağaç",
		"Swedish":      "Då kör vi på måndag, Åke är här, Ängelholm",
		"Russian":      "Привет, как дела? Всё хорошо и в порядке.",
		"Greek":        "Καλημέρα σας, ευχαριστώ πολύ",
		"Hebrew":       "שלום עולם",
		"Arabic":       "مرحبا بالعالم",
		"Vietnamese":   "Tôi không biết tiếng Việt, đồng ý",
		"Japanese":     "お世話になっております。よろしくお願いします。",
		"Chinese":      "您好，请问发票什么时候到？",
		"Korean":       "안녕하세요 감사합니다",
		"Hindi":        "नमस्ते दुनिया",
		"Thai":         "สวัสดีครับ",
		"emoji":        "Great 👍🏽 🎉 ❤️",
		"one word":     "naïve",
		"signs":        "20°C, £5, ½, ©, ±3 → ✓ ✔",
		"replacements": "a\uFFFDb",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			once := misread(t, text, false)
			require.NotEqual(t, text, once)
			require.Equal(t, text, clean.Text(once))
			require.Equal(t, text, clean.Text(misread(t, text, true)), "as Latin-1")
			require.Equal(t, text, clean.Text(misread(t, once, false)), "twice")
			require.Equal(t, text, clean.HTML("<p>"+strings.ReplaceAll(once, "\n", "<br>")+"</p>"))
			var references strings.Builder
			for _, c := range once {
				if c >= 0xA0 {
					references.WriteString("&#" + strconv.Itoa(int(c)) + ";")
				} else {
					references.WriteRune(c)
				}
			}
			if !strings.ContainsAny(once, "\u00a0\u00ad\u0081\u008d\u008f\u0090\u009d") { // HTML has blanks of its own for these
				require.Equal(t, text, clean.HTML(references.String()), "by references")
			}
		})
	}
	require.Equal(t, "“so”", clean.Text("â€œsoâ€\uFFFD"), "a byte that Windows-1252 has not")
	require.Equal(t, "Hello", clean.Text("ï»¿Hello"), "a byte order mark")
	require.Equal(t, "Das wäre »schön«\nÀ bientôt “PÅ”, PÅ…", clean.Text("Das wÃ¤re Â»schÃ¶nÂ«\nÀ bientôt “PÅ”, PÅ…"), "what was read well stays beside what was not")
}
