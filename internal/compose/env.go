// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// Limits on .env, and on the size of a file after substitution: a few lines like A=$A$A could fill the memory. There is no limit for the
// shell's environment, because the author of the files doesn't control it.
const (
	maxEnv      = 64 << 10
	maxValue    = 128 << 10
	maxReplaced = 64 << 20
)

// withEnv adds the variables in the .env next to files, like docker compose. The environment takes precedence.
func (f *projectFiles) withEnv(dir string, environment map[string]string, texts ...[]byte) (map[string]string, error) {
	if err := f.inside(filepath.Join(dir, ".env")); err != nil {
		return nil, err
	}
	own, err := readEnv(filepath.Join(dir, ".env"))
	if err != nil || own == nil {
		return environment, err
	}
	longest, err := longestIn(own, environment)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		if bytes.Count(text, []byte("$"))*longest > maxReplaced {
			return nil, fmt.Errorf("the variables of .env may make more than %d bytes of the file", maxReplaced)
		}
	}
	values, err := dotenv.ParseWithLookup(bytes.NewReader(own), func(name string) (string, bool) {
		v, ok := environment[name]
		return v, ok
	})
	if err != nil {
		return nil, fmt.Errorf(".env: %w", err)
	}
	all := maps.Clone(values)
	maps.Copy(all, environment)
	return all, nil
}

// longestIn returns the maximum length of a variable in a .env.
func longestIn(text []byte, environment map[string]string) (longest int, err error) {
	for line := range strings.Lines(string(text)) {
		n := len(line)
		if count := strings.Count(line, "$"); count > 0 {
			n += count * max(longest, longestOf(environment))
		}
		if longest = max(longest, n); longest > maxValue {
			return 0, fmt.Errorf("the variables of .env may have more than %d bytes", maxValue)
		}
	}
	return longest, nil
}

func longestOf(values map[string]string) (most int) {
	for _, v := range values {
		most = max(most, len(v))
	}
	return most
}

// readEnv returns the text of a .env; nil: there is none.
func readEnv(name string) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &unread.Error{Err: err}
	case st.IsDir():
		return nil, nil // docker compose ignores it, too
	case !st.Mode().IsRegular():
		return nil, errors.New(".env is not a regular file")
	case st.Size() > maxEnv:
		return nil, fmt.Errorf(".env has more than %d bytes", maxEnv)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	return io.ReadAll(io.LimitReader(f, maxEnv))
}
