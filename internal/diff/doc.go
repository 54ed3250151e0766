// Package diff says what changed between two texts, word by word, for people who read it. It is
// pure, and its work is bounded whatever the texts are: where two texts have too little in common
// to be compared in that time, a stretch of one is said to have become a stretch of the other.
package diff
