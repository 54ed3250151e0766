package clean

// Version names the behaviour of Text, Line, HTML and [Split]. Any change that can alter
// a text raises it; stored texts keep the version that made them.
//
//   - 1 was a parser's tree turned into Markdown.
//   - 2 is this package's own reader: plain text, hidden elements out, NFC.
//   - 3 takes mails apart: what is repeated, signatures and disclaimers are no part of the
//     text. It mends mojibake, and keeps apart what ran together in boxes and typed lines.
const Version = 3

// HTML returns the text of an HTML document, as a person would copy it from a
// mail program: paragraphs and blank lines, lists with their marks, the cells of a
// row between tabs, quotations behind "> ", the address of a link behind its text.
// What the reader of the mail does not see is left out. Hostile or broken HTML
// gives some text, never an error.
func HTML(document string) string {
	if document == "" {
		return ""
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.read(document)
	return string(r.page.buf)
}
