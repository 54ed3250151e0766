package meter

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Who uses CPU time besides the processes that a [Meter] is given.
const (
	// Self is the process that measures.
	Self = "bench"
	// Clients are the programs that it started and that have ended: psql, curl, starter.
	Clients = "clients"
	// Machine is everything on it, these included.
	Machine = "machine"
)

// CPU is CPU seconds by who used them. Who cannot be measured is not in it.
type CPU map[string]float64

// Since returns what was used after earlier.
func (c CPU) Since(earlier CPU) CPU {
	used := CPU{}
	for who, seconds := range c {
		used[who] = seconds - earlier[who]
	}
	return used
}

// Meter measures processes by their ids, each with all that it started.
type Meter struct {
	// PIDs are who is measured.
	PIDs map[string]int
}

// Read returns what everybody has used so far.
func (m *Meter) Read() CPU {
	c := CPU{Self: rusage(syscall.RUSAGE_SELF), Clients: rusage(syscall.RUSAGE_CHILDREN)}
	if seconds, ok := machineCPU(); ok {
		c[Machine] = seconds
	}
	processes := readProcesses()
	for who, pid := range m.PIDs {
		if seconds, ok := processes.tree(pid); ok {
			c[who] = seconds
		}
	}
	return c
}

// Foreign is what programs used that no row started.
func (c CPU) Foreign() float64 {
	all, ok := c[Machine]
	if !ok {
		return 0
	}
	return max(all-c.Sum(), 0)
}

// Sum is what everybody used.
func (c CPU) Sum() float64 {
	var sum float64
	for who, seconds := range c {
		if who != Machine {
			sum += seconds
		}
	}
	return sum
}

// machineCPU is how long the machine's processors have been at work.
func machineCPU() (float64, bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(first) // CPU user nice system idle iowait irq softirq steal …
	if len(f) < 9 {
		return 0, false
	}
	var sum float64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, _ := strconv.ParseFloat(f[i], 64)
		sum += n / ticks
	}
	return sum, true
}

func rusage(who int) float64 {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// processes is one look at /proc; empty where there is none.
type processes map[int]process

type process struct {
	parent int
	own    float64 // CPU seconds
	ended  float64 // of children that have ended and were waited for
}

func readProcesses() processes {
	all := processes{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if p, ok := parseStat(string(b)); ok {
			all[pid] = p
		}
	}
	return all
}

// ticks is how many of the kernel's units of CPU time a second has, on every Linux there is.
const ticks = 100

// parseStat reads a line of /proc/PID/stat; the name in it is in brackets and may hold anything.
func parseStat(s string) (process, bool) {
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 15 {
		return process{}, false
	}
	number := func(i int) float64 {
		n, _ := strconv.ParseFloat(f[i], 64)
		return n / ticks
	}
	parent, err := strconv.Atoi(f[1])
	// Behind the name: state, parent, …; utime is the twelfth, then stime, cutime, cstime.
	return process{parent: parent, own: number(11) + number(12), ended: number(13) + number(14)}, err == nil
}

// tree adds up a process and everything below it.
func (all processes) tree(pid int) (float64, bool) {
	p, ok := all[pid]
	if !ok {
		return 0, false
	}
	sum := p.own + p.ended
	for child, c := range all {
		if c.parent == pid && child != pid {
			below, _ := all.tree(child)
			sum += below
		}
	}
	return sum, true
}

// Memory is what a process holds at present and the most it has held at once since it started
// or since [ForgetPeak], in bytes of resident memory; 0 where nobody can tell.
func Memory(pid int) (now, peak int64) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kb << 10
		case "VmHWM":
			peak = kb << 10
		}
	}
	return now, peak
}

// ForgetPeak begins a new peak; where it cannot, the old one goes on.
func ForgetPeak(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0)
}
