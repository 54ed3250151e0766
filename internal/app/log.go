package app

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	temporallog "go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"salesforcesync/internal/fault"
)

// NewLogger makes the logger of a program: JSON lines on stderr, from level on (debug,
// info, warn or error; "" = info). Errors are fault.Invalid.
func NewLogger(program, level string) (*zap.Logger, error) {
	if level == "" {
		level = "info"
	}
	l, err := zapcore.ParseLevel(level)
	if err != nil || l > zapcore.ErrorLevel {
		return nil, fault.New(fault.Invalid, "LOG_LEVEL %q is not a level", level).WithHint("set it to debug, info, warn or error")
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey, encoding.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(os.Stderr), l)
	return zap.New(core).Named(program), nil
}

// TemporalLogger lets Temporal's SDK write to a zap logger.
func TemporalLogger(log *zap.Logger) temporallog.Logger {
	return sdkLogger{log.Named("temporal").WithOptions(zap.AddCallerSkip(1)).Sugar()}
}

type sdkLogger struct{ sugar *zap.SugaredLogger }

func (l sdkLogger) Debug(msg string, pairs ...any) { l.sugar.Debugw(msg, named(pairs)...) }
func (l sdkLogger) Info(msg string, pairs ...any)  { l.sugar.Infow(msg, named(pairs)...) }
func (l sdkLogger) Warn(msg string, pairs ...any)  { l.sugar.Warnw(msg, named(pairs)...) }
func (l sdkLogger) Error(msg string, pairs ...any) {
	if msg != toldByWorker {
		l.sugar.Errorw(msg, named(pairs)...)
	}
}

// toldByWorker is what the SDK says of a failed activity. The worker says it with what failed
// and what to do about it; twice is once too often.
const toldByWorker = "Activity error."

// With returns a logger that adds the pairs to each line.
func (l sdkLogger) With(pairs ...any) temporallog.Logger {
	return sdkLogger{l.sugar.With(named(pairs)...)}
}

// named makes every key a string and every pair whole, which zap insists on and
// the SDK does not, and spells keys as all lines do: workflow_id, not WorkflowID.
func named(pairs []any) []any {
	out := make([]any, len(pairs), len(pairs)+1)
	copy(out, pairs)
	if len(out)%2 == 1 {
		out = append(out, nil)
	}
	for i := 0; i < len(out); i += 2 {
		out[i] = snake(fmt.Sprint(out[i]))
	}
	return out
}

// snake spells a name in lower case with underscores: TaskFirstEventID is task_first_event_id.
func snake(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('_')
			continue
		case unicode.IsUpper(r) && i > 0 && letters[i-1] != ' ' && letters[i-1] != '_' &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
