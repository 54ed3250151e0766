// Package find reads what people look for in comments, and looks for it: the parameters of a
// search, the place at which a page goes on, the properties that a caller may not see, and one list
// out of several sources. Package api and package web are its two doors: what one refuses, the
// other does as well.
//
// Package words decides whether a comment is found, and package store reads it.
package find
