package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
)

//go:embed assets
var assetFiles embed.FS

type assetFile struct {
	version string // of the content, so that browsers may keep it for ever
	body    []byte
}

var assets = readAssets()

func readAssets() map[string]assetFile {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // embedded: it is there or the program does not build
	}
	all := make(map[string]assetFile, len(entries))
	for _, e := range entries {
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = assetFile{version: hex.EncodeToString(sum[:6]), body: body}
	}
	return all
}

// assetPath is the path of an embedded file in this very version.
func assetPath(name string) (string, error) {
	file, ok := assets[name]
	if !ok {
		return "", fault.New(fault.Internal, "there is no asset %s", name)
	}
	return "/assets/" + file.version + "/" + name, nil
}

// asset serves an embedded file. An old page may ask for an older version and gets
// today's, which it then must not keep.
func (web *Web) asset(v *visit) error {
	name := v.r.PathValue("name")
	file, ok := assets[name]
	if !ok {
		return fault.New(fault.NotFound, "there is no file %.60q", name)
	}
	if v.r.PathValue("version") == file.version {
		v.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	request.Answer(v.w, v.r, http.StatusOK, contentTypes[path.Ext(name)], file.body)
	return nil
}

// contentTypes are ours: what the machine's MIME tables say differs from one to the next.
var contentTypes = map[string]string{
	".css": mime.FormatMediaType("text/css", map[string]string{"charset": "utf-8"}),
	".js":  mime.FormatMediaType("text/javascript", map[string]string{"charset": "utf-8"}),
	".svg": "image/svg+xml",
}
