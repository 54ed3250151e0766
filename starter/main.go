package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{in: os.Stdin, out: os.Stdout, talk: visible{os.Stderr}, terminal: isTerminal(os.Stdout)}
	if a.terminal { // files and pipes get every byte
		a.out = visible{os.Stdout}
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
