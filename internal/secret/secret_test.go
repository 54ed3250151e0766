package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/secret"
)

const plain = "hunter2-of-the-org"

type holder struct {
	Token  secret.Text
	Others []secret.Text
	ByName map[string]secret.Text
	At     *secret.Text
}

func held() holder {
	t := secret.Text(plain)
	return holder{Token: t, Others: []secret.Text{t}, ByName: map[string]secret.Text{"a": t}, At: &t}
}

func TestTextNeverPrints(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%f", "%c", "%U", "%e", "%o", "%10s", "%-10.3s"} {
		for what, value := range map[string]any{"text": secret.Text(plain), "struct": held(), "pointer": &holder{Token: plain}, "slice": []secret.Text{plain}, "any": []any{secret.Text(plain)}} {
			out := fmt.Sprintf(verb, value)
			require.NotContains(t, out, "hunter2", "%s of a %s", verb, what)
			require.NotContains(t, out, fmt.Sprintf("%x", plain)[:8], "%s of a %s", verb, what)
			require.NotContains(t, out, fmt.Sprintf("%X", plain)[:8], "%s of a %s", verb, what)
		}
	}
	mistake := "too many arguments"
	require.NotContains(t, fmt.Sprintf(mistake, secret.Text(plain)), "hunter2")
	require.Equal(t, "<secret>", fmt.Sprint(secret.Text(plain)))
	require.Equal(t, "", fmt.Sprint(secret.Text("")))
	require.Equal(t, plain, secret.Text(plain).Reveal())
	require.NotContains(t, errors.Join(fmt.Errorf("connect with %v", secret.Text(plain))).Error(), "hunter2")
}

func TestTextIsNotEncoded(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		out, err := encode(held())
		require.NoError(t, err, name)
		require.NotContains(t, string(out), "hunter2", name)
		require.Contains(t, string(out), "secret", name)
	}
	out, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"held"`
		Token   secret.Text
	}{Token: plain})
	require.NoError(t, err)
	require.NotContains(t, string(out), "hunter2")
}

func TestTextIsNotLogged(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	for _, encoder := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())} {
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zap.DebugLevel))
		log.Info("hello", zap.Any("any", secret.Text(plain)), zap.Stringer("stringer", secret.Text(plain)), zap.Reflect("reflect", held()),
			zap.Any("holder", held()), zap.Any("list", []secret.Text{plain}), zap.Error(fmt.Errorf("with %s", secret.Text(plain))))
		log.Sugar().Infow("hello", "key", secret.Text(plain), "holder", held())
		log.Sugar().Infof("%v %d", secret.Text(plain), any(secret.Text(plain)))
	}
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("hello", "token", secret.Text(plain), "holder", held())
	slog.New(slog.NewTextHandler(&buf, nil)).Info("hello", "token", secret.Text(plain), "holder", held())
	require.Contains(t, buf.String(), "<secret>")
	require.NotContains(t, buf.String(), "hunter2")
}
