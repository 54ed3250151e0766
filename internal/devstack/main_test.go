package devstack

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test program is its own child process: with this variable set it behaves as
// one of the programs below instead of running tests.
const childVar = "DEVSTACK_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		os.Exit(m.Run())
	case "echo":
		fmt.Println("one")
		fmt.Fprintln(os.Stderr, "two")
	case "fail":
		fmt.Println("cannot do it")
		os.Exit(3)
	case "wait":
		<-time.After(time.Hour) // select{} would be seen as a deadlock and end the program
	case "parent":
		// Starts a child, says its id, and waits to be killed.
		p, err := StartProcess(childOptions("wait"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("child", p.PID())
		<-time.After(time.Hour) // select{} would be seen as a deadlock and end the program
	}
}

func childOptions(kind string) ProcessOptions {
	return ProcessOptions{
		Name: kind,
		Path: os.Args[0],
		Env:  append(os.Environ(), childVar+"="+kind),
	}
}

func startChild(t *testing.T, kind string) *Process {
	t.Helper()
	p, err := StartProcess(childOptions(kind))
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

// testContext bounds what a test waits for.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// logTo gives a server's output to the test's log, where a failure shows it.
func logTo(t *testing.T) *testLog {
	l := &testLog{t: t}
	t.Cleanup(l.end)
	return l
}

type testLog struct {
	t    *testing.T
	tail tail
}

func (l *testLog) Write(b []byte) (int, error) { return l.tail.Write(b) }

func (l *testLog) end() {
	if l.t.Failed() {
		l.t.Log(strings.TrimSpace(l.tail.lines(100)))
	}
}
