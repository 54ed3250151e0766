package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is the processor time that this process and the server's have used so far. Neighbours
// on the machine make a query wait, but do not make it dearer. It is zero where there is no /proc.
func (g *ground) cpu() time.Duration {
	var own syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) != nil {
		return 0
	}
	if g.ran == nil {
		g.ran = map[string]int64{}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		raw, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(g.pg.Process().PID()) {
			continue
		}
		var ran int64 // nanoseconds on a processor
		if raw, err = os.ReadFile(filepath.Join(filepath.Dir(stat), "schedstat")); err == nil {
			_, _ = fmt.Sscan(string(raw), &ran)
		}
		g.ran[stat] = max(g.ran[stat], ran)
	}
	sum := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	for _, ran := range g.ran { // those that ended, too
		sum += time.Duration(ran)
	}
	return sum
}
