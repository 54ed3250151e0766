package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// secretFiles is the folder of the demo's secrets, one per file, each readable by its owner
// only. Programs get the file's name (every secret variable has a _FILE form), so
// no secret is in an environment or on a command line.
type secretFiles struct{ dir string }

func openSecrets(dir string) (secretFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return secretFiles{}, fmt.Errorf("make the folder of the demo's secrets: %w", err)
	}
	return secretFiles{dir}, nil
}

// path returns where a secret lies.
func (s secretFiles) path(name string) string { return filepath.Join(s.dir, name) }

// get returns a secret, "" when there is none yet.
func (s secretFiles) get(name string) (string, error) {
	b, err := os.ReadFile(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the demo's secret: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// set keeps a secret.
func (s secretFiles) set(name, value string) error {
	return writeFile(s.path(name), value)
}

// once returns a secret and makes it the first time.
func (s secretFiles) once(name string, newValue func() string) (string, error) {
	value, err := s.get(name)
	if err != nil || value != "" {
		return value, err
	}
	value = newValue()
	return value, s.set(name, value)
}

// newKeyRing is a key ring with one key, in the form of ENCRYPTION_KEYS.
func newKeyRing() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return "demo:" + base64.StdEncoding.EncodeToString(key)
}

// newPassword can be read aloud and typed: "demo-" and twelve letters and digits.
func newPassword() string { return "demo-" + strings.ToLower(rand.Text()[:12]) }

// writeFile writes a file for its owner only, whole or not at all.
func writeFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
