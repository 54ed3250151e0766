package store

import "io/fs"

// ReadMigrations is readMigrations for tests of what it refuses.
func ReadMigrations(files fs.FS, dir string) ([]Migration, error) { return readMigrations(files, dir) }
