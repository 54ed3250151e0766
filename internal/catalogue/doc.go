// Package catalogue says what faults mean for people: cause, next step and who must act. It holds
// what docs/errors.md prints and `starter fault` answers.
//
// A fault is made in hundreds of places, and most of them say in their own message what is wrong.
// The unit of the catalogue is therefore not the place but the answer to "what do I do now?": places
// with the same answer are one entry. catalogue.yaml says which places those are, by package, kind
// and words of the message; the answers of Salesforce and of its token endpoint come from the tables that sort
// them, in packages salesforce and oauth. messages.txt has every message of the code with its entry,
// so that a message can be looked up in a program; a test that reads the code keeps it.
//
// Packages make faults without knowing this one.
package catalogue
