// Package meter says what processes on this machine use: CPU seconds and memory. It is for
// benchmarks; nothing that is shipped imports it. Where there is no /proc it knows little.
package meter
