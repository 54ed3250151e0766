package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{in: os.Stdin, out: os.Stdout, talk: os.Stderr, terminal: isTerminal(os.Stdout)}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
