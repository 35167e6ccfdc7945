// SPDX-License-Identifier: Apache-2.0

// Command server counts its visits in a file beside it, in an image that has nothing else.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	log.Fatal(http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cache, err := os.UserCacheDir()
		if err == nil {
			err = os.MkdirAll(cache, 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(cache, "visit"), []byte("one"), 0o600)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "static, with a cache in", cache)
	})))
}
