// Package clean makes text fit to be read: HTML to text, line ends, control
// characters, bytes that are not text, bytes that were read as other letters, accents in
// their composed form. It is pure: the same input and the same [Version] give the same
// bytes, because text decides the bill; testdata/version.golden holds it to that. It is
// linear in its input, whatever the input is.
//
//	HTML ──reader: tags, styles, references──► page: lines with marks ──► text
//
//	Mail ──Split: lines, who said them──► Reply, Quoted, Signature and the spans that say why
//
// The reader builds no tree. It keeps what holds at a place (hidden, preformatted,
// quoted, in a list or a cell) and what will hold again behind the elements that
// are open. The page's lines know what the document said about them: below a rule,
// inside of what a mail program calls a quotation or a signature.
//
// Split works on the lines of either body. The words it knows programs by are lists,
// in words.go: a language more is a line more. docs/cleaning.md has its rules.
//
// Package transform decides which field is which; package comment has the limits.
package clean
