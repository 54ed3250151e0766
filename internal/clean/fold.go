package clean

// Fold is a text in lower case without accents, for whoever compares words: "Grüßen",
// "grußen" and "GRÜSSEN" are the same.
func Fold(text string) string { return folded(text) }
