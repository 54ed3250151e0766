// Package words says what a comment can be found by, and whether it is found: the words of
// its subjects, bodies and senders, its properties, its thread and its day. It is pure.
//
// The same rules serve three readers, so that they cannot disagree: [Lexemes] makes what an index
// of words keeps of a comment, [Filter.Lookup] what to ask that index for, and [Filter.Matches]
// decides about the comment itself. An index is filled later than comments are written and knows
// no order of words: it names candidates, and only Matches makes one a hit.
//
// Words are runs of letters and digits, in lower case and without accents; languages that write
// without blanks are cut into pairs of characters. There is no stemming: texts are in many languages.
//
// Package store keeps the index and asks it; package api reads what people write.
package words
