package config

// MayNameProject reports whether a project can have this name.
func MayNameProject(name string) bool { return projectName.MatchString(name) }

// MayNameSource reports whether a source or an integration can have this name.
func MayNameSource(name string) bool { return plainName.MatchString(name) }
