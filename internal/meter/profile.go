package meter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// profiler goes into the worker of a profiled run only, laid over its package while it is
// built: the shipped program has no such thing. It writes a CPU profile from one SIGUSR1
// to the next.
const profiler = `package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

var benchProfile string

func init() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			f, err := os.Create(benchProfile)
			if err != nil {
				panic(err)
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				panic(err)
			}
			<-asked
			pprof.StopCPUProfile()
			if err := f.Close(); err != nil {
				panic(err)
			}
		}
	}()
}
`

// Profiled returns the arguments of `go build` that put a profiler into the worker: it writes a
// CPU profile to file from one SIGUSR1 to the next. root is the repository, folder where the
// build's own files go.
func Profiled(root, folder, file string) ([]string, error) {
	args, err := Overlay(root, folder, "profiled", map[string]string{"worker/bench_profile.go": profiler})
	return append(args, "-ldflags", "-X main.benchProfile="+file), err
}

// Overlay writes what is laid over the sources while a program is built into folder, and
// returns the arguments of go build. Keys of files are paths below root, the repository.
func Overlay(root, folder, name string, files map[string]string) ([]string, error) {
	replace := map[string]string{}
	for path, text := range files {
		with := filepath.Join(folder, name+"-"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(with, []byte(text), 0o600); err != nil {
			return nil, err
		}
		replace[filepath.Join(root, path)] = with
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, name+".json")
	return []string{"-overlay", file}, os.WriteFile(file, b, 0o600)
}
