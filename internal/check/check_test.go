// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/compose"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imagefile"
	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trial"
)

func checked(text string, given map[string]string) Result {
	return Dockerfile("Dockerfile", []byte(text), Options{Build: dockerfile.Options{Base: Bases(given)}})
}

func idsOf(r Result) (all []string) {
	for _, f := range r.Findings {
		all = append(all, f.ID)
	}
	return all
}

// TestPages checks the examples on each kind's page. The bad one has a finding of the kind with a line, and the good one has none and does
// not run as root.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/checks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var names, there []string
	for _, p := range pages {
		there = append(there, strings.TrimSuffix(filepath.Base(p), ".md"))
	}
	example := regexp.MustCompile("(?s)## (Bad|Good)\n\n```([a-z]+)\n(.*?)```")
	of := func(language, text string) Result {
		switch language {
		case "image":
			return described(t, strings.Split(strings.TrimSpace(text), "\n"))
		case "compose":
			r := Result{Verdict: NonRoot}
			for _, one := range Compose("compose.yaml", []byte(text), Options{}, ComposeOptions{Dir: "."}) {
				r.Findings = append(r.Findings, one.Findings...)
				if one.Verdict != NonRoot {
					r.Verdict = one.Verdict
				}
			}
			return r
		case "json":
			return bundled(t, text, "")
		case "yaml":
			all := Manifests("pod.yaml", []byte(text), Options{})
			if len(all) != 1 {
				t.Errorf("%d results of %s", len(all), text)
			}
			return all[0]
		}
		return checked(text, nil)
	}
	for _, k := range kinds {
		names = append(names, k.ID)
		text, err := os.ReadFile("../../docs/checks/" + k.ID + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(text), "# "+k.Title+"\n") {
			t.Errorf("%s: its page has another title than %q", k.ID, k.Title)
		}
		examples := example.FindAllStringSubmatch(string(text), -1)
		if len(examples) != 2 || examples[0][1] != "Bad" || examples[1][1] != "Good" {
			t.Errorf("%s: its page has not a bad example and a good one", k.ID)
			continue
		}
		if slices.Contains(atRun, k.ID) && examples[0][2] == "sh" && examples[1][2] == "sh" {
			continue
		}
		bad, good := of(examples[0][2], examples[0][3]), of(examples[1][2], examples[1][3])
		at := slices.IndexFunc(bad.Findings, func(f Finding) bool { return f.ID == k.ID })
		if at < 0 || bad.Findings[at].Line == 0 && examples[0][2] != "image" || bad.Findings[at].Severity != k.Severity {
			t.Errorf("%s: its bad example has %+v", k.ID, bad.Findings)
		}
		if slices.ContainsFunc(good.Findings, func(f Finding) bool { return f.Severity.AtLeast(Warning) || f.ID == k.ID }) || good.Verdict != NonRoot {
			t.Errorf("%s: its good example has %s, %+v", k.ID, good.Verdict, good.Findings)
		}
	}
	slices.Sort(names)
	slices.Sort(there)
	if !slices.Equal(names, there) {
		t.Errorf("there are the pages %q for %q", there, names)
	}
}

// atRun lists kinds with examples that need a runtime. test/bats/check.bats runs them.
var atRun = []string{deniedAtRun.ID, failedAtRun.ID}

func TestVerdicts(t *testing.T) {
	for text, want := range map[string]Verdict{
		"FROM debian":                   Root,
		"FROM debian:12-slim":           Root,
		"FROM docker.io/library/debian": Root,
		"FROM scratch":                  Root,
		"FROM nobody/debian":            Unknown,
		"FROM nobody/debian\nUSER root": Root,
		"FROM nobody/debian\nUSER 1:1":  NonRoot,
		"FROM nobody/debian\nRUN apt-get update && apt-get install -y a":                Root,
		"FROM nobody/debian AS a\nRUN apk add a\nFROM a\nCMD x":                         Root,
		"FROM nobody/debian\nSHELL [\"/bin/bash\", \"-c\"]\nRUN useradd app":            Root,
		"FROM nobody/debian\nSHELL [\"/bin/bash\", \"-exc\"]\nRUN useradd app; true":    Root,
		"FROM nobody/debian\nSHELL [\"/bin/bash\", \"-c\"]\nRUN useradd app; true":      Unknown,
		"FROM nobody/debian\nRUN [\"dnf\", \"install\", \"-y\", \"a\"]":                 Root,
		"FROM nobody/debian\nRUN <<EOF\nset -e\napt-get update\ntrue\nEOF":              Root,
		"FROM nobody/debian\nRUN apk add a\nUSER 5":                                     NonRoot,
		"FROM nobody/debian\nRUN apk add a\nUSER $WHO":                                  Unknown,
		"FROM nobody/debian\nRUN apt-get update || true":                                Unknown,
		"FROM nobody/debian\nRUN sudo apt-get update":                                   Unknown,
		"FROM nobody/debian\nSHELL [\"python\", \"-c\"]\nRUN apk add a":                 Unknown,
		"FROM nobody/debian\nONBUILD RUN apk add a":                                     Unknown,
		"FROM nobody/debian AS a\nRUN apk add a\nFROM nobody/debian\nCOPY --from=a x /": Unknown,
		"FROM nobody/debian\nRUN python <<EOF\napt-get update\nEOF":                     Unknown,
		"FROM known":            NonRoot,
		"FROM known:1.2":        NonRoot,
		"FROM known:rooted":     Root,
		"FROM known\nUSER 0":    Root,
		"FROM debian\nUSER app": NonRoot,
		"FROM debian\nRUN useradd -o -u 0 app\nUSER app":                                              Root,
		"FROM debian\nRUN useradd -u 10 app\nUSER app":                                                NonRoot,
		"FROM debian\nRUN useradd -ou0 app\nUSER app":                                                 Root,
		"FROM debian\nRUN useradd -ou 00 app\nUSER app":                                               Root,
		"FROM debian\nRUN useradd -o -u \"0\" app\nUSER app":                                          Root,
		"FROM debian\nRUN useradd --uid='0' -o app\nUSER app:5":                                       Root,
		"FROM debian\nRUN [\"useradd\", \"-o\", \"-u\", \"0\", \"app\"]\nUSER app":                    Root,
		"FROM debian\nARG ID=0\nRUN useradd -o -u $ID app\nUSER app":                                  Root,
		"FROM debian\nARG ID=0\nENV ID=7\nRUN useradd -o -u ${ID} app\nUSER app":                      NonRoot,
		"FROM debian\nARG N=app\nRUN ID=0; useradd -o -u $ID $N\nUSER $N":                             Root,
		"FROM debian\nRUN useradd -o -u 0 app && usermod -u 7 app\nUSER app":                          NonRoot,
		"FROM debian\nRUN useradd -u 7 app; usermod -o -u 0 app\nUSER app":                            Root,
		"FROM debian\nRUN useradd -u 7 -g 0 app\nUSER app":                                            NonRoot,
		"FROM debian\nARG ID\nRUN useradd -o -u ${ID:-0} app\nUSER app":                               Root,
		"FROM debian\nARG ID=7\nRUN useradd -o -u ${ID:-0} app\nUSER app":                             NonRoot,
		"FROM debian\nARG ID=7\nRUN useradd -o -u \"${ID:-0}\" app\nUSER app":                         NonRoot,
		"FROM debian\nRUN useradd -o -u ${ID-0} app\nUSER app":                                        Root,
		"FROM debian\nENV ID=1\nRUN useradd -o -u ${ID:+0} app\nUSER app":                             Root,
		"FROM debian\nARG O=\"-o -u 0\"\nRUN useradd $O app\nUSER app":                                Root,
		"FROM debian\nARG ID=x0\nRUN useradd -o -u ${ID#x} app\nUSER app":                             Root,
		"FROM debian\nARG ID=0\nRUN useradd -o -u '$ID' app\nUSER app":                                Unknown,
		"FROM debian\nARG ID\nRUN useradd -o -u $ID app\nUSER app":                                    Unknown,
		"FROM debian\nARG ID\nRUN useradd -u $ID app\nUSER app":                                       NonRoot, // without -o, useradd gives nobody root's uid
		"FROM debian\nRUN useradd -o -u $(cat /id) app\nUSER app":                                     Unknown,
		"FROM debian\nRUN useradd -o -u `cat /id` app\nUSER app":                                      Unknown,
		"FROM debian\nRUN useradd -o -u $((1-1)) app\nUSER app":                                       Root,
		"FROM debian\nARG ID=4\nRUN useradd -o -u $(($ID+1)) app\nUSER app":                           NonRoot,
		"FROM debian\nRUN useradd -o -u $(($(cat /id)+1)) app\nUSER app":                              Unknown,
		"FROM debian\nRUN A=$(cat /id); useradd -o -u ${#A} app\nUSER app":                            Unknown,
		"FROM debian\nARG ID\nRUN useradd -o -u ${ID:=0} app && useradd -o -u $ID b\nUSER b":          Root,
		"FROM debian\nRUN echo app | xargs useradd -o -u 0\nUSER app":                                 Unknown,
		"FROM debian\nRUN useradd -D -s /bin/sh && useradd -u 7 app\nUSER app":                        NonRoot,
		"FROM debian\nRUN useradd -o -u {0,7} app\nUSER app":                                          Unknown,
		"FROM debian\nRUN (ID=0; true); ID=7; useradd -o -u $ID app\nUSER app":                        NonRoot,
		"FROM debian\nRUN ID=7; (ID=0; useradd -o -u $ID app)\nUSER app":                              Unknown,
		"FROM debian\nRUN if true; then useradd -o -u 0 app; fi\nUSER app":                            Root,
		"FROM debian\nRUN add() { useradd -o -u 0 \"$1\"; }; add app\nUSER app":                       Unknown,
		"FROM debian\nRUN case x in x) ID=0;; esac; useradd -o -u ${ID:-7} app\nUSER app":             Unknown,
		"FROM debian\nRUN useradd -o -u 7 app; (\nUSER app":                                           Unknown, // no shell parses it
		"FROM debian\nRUN useradd -o -u ~ app\nUSER app":                                              Unknown,
		"FROM debian\nRUN useradd -o -u 7 app 2>&1 | tee /log && true\nUSER app":                      NonRoot,
		"FROM debian\nRUN <<EOF\n#!/usr/bin/env python3\nprint('useradd -o -u 0 app')\nEOF\nUSER app": NonRoot,
		"FROM debian\nRUN cat >>/etc/passwd <<EOF\napp:x:0:0::/:/bin/sh\nEOF\nUSER app":               Root,
		"FROM debian\nARG ID\nRUN cat >>/etc/passwd <<EOF\napp:x:${ID:-7}:0::/:\nEOF\nUSER app":       NonRoot,
		"FROM debian\nRUN cat >>/etc/passwd <<'EOF'\napp:x:$ID:0::/:\nEOF\nUSER app":                  Unknown,
		"FROM debian\nRUN useradd --non-unique --uid $(cat /id) app\nUSER app":                        Unknown,
		"FROM debian\nRUN useradd -u $(cat /id) app\nUSER app":                                        NonRoot,
		"FROM nobody/debian\nRUN useradd -o -u ${ID:-7} app\nUSER app":                                Unknown, // the image may set ID
		"FROM nobody/debian\nENV ID=$X\nRUN useradd -o -u $ID app\nUSER app":                          Unknown,
		"FROM nobody/debian\nENV ID=7\nRUN useradd -o -u $ID app\nUSER app":                           NonRoot,
		"FROM debian\nARG ID=7\nRUN ID=0; useradd -o -u $ID app\nUSER app":                            Unknown,
		"FROM debian\nRUN for ID in 0 1; do useradd -o -u $ID app; done\nUSER app":                    Unknown,
		"FROM debian\nRUN read ID </id; useradd -o -u $ID app\nUSER app":                              Unknown,
		"FROM debian\nRUN export ID=0 && useradd -o -u $ID app\nUSER app":                             Root,
		"FROM debian\nARG UID=7\nRUN useradd -o -u $UID app\nUSER app":                                NonRoot,
		"FROM fedora\nARG UID=7\nRUN useradd -o -u $UID app\nUSER app":                                Unknown, // bash has a UID of its own
		"FROM debian\nSHELL [\"bash\", \"-c\"]\nARG UID=7\nRUN useradd -o -u $UID app\nUSER app":      Unknown,
		"FROM debian\nARG N\nRUN useradd -o -u 0 $N\nUSER app":                                        Unknown,
		"FROM debian\nRUN useradd -c 'a; b' -o -u 0 app\nUSER app":                                    Root,
		"FROM debian\nRUN useradd -c \"it's (a) b\" -o -u 0 app\nUSER app":                            Root,
		"FROM debian\nRUN echo a b | sudo useradd -o -u 0 app\nUSER app":                              Root,
		"FROM debian\nRUN [\"sh\", \"-c\", \"useradd -o -u 0 app\"]\nUSER app":                        Root,
		"FROM debian\nRUN sh -c 'useradd -o -u 0 app'\nUSER app":                                      Root,
		"FROM debian\nRUN bash <<EOF\nuseradd -o -u 0 app\nEOF\nUSER app":                             Root,
		"FROM debian\nRUN usermod -l app root\nUSER app":                                              Root,
		"FROM debian\nRUN usermod --login=app root\nUSER app":                                         Root,
		"FROM debian\nRUN useradd other && usermod -l app other\nUSER app":                            NonRoot,
		"FROM debian\nRUN useradd -u 7 -d /u -c 'for -u 0' app\nUSER app":                             NonRoot,
		"FROM debian\nRUN echo done # useradd -o -u 0 app\nUSER app":                                  NonRoot,
		"FROM alpine\nRUN adduser -D -g app -u 7 other\nUSER app":                                     NonRoot,
		"FROM debian\nARG ID\nRUN echo \"app:x:${ID:-0}:0::/:/bin/sh\" >> /etc/passwd\nUSER app":      Root,
		"FROM debian\nARG ID\nRUN echo \"app:x:$ID:0::/:/bin/sh\" >> /etc/passwd\nUSER app":           Root, // an empty uid is root's
		"FROM debian\nARG ID=7\nRUN echo \"app:x:${ID:-0}:0::/:/bin/sh\" >> /etc/passwd\nUSER app":    NonRoot,
		"FROM debian\nRUN echo \"app:x:$(cat /id):0::/:/bin/sh\" >> /etc/passwd\nUSER app":            Unknown,
		"FROM debian\nRUN echo \"app:x:`cat /id`:0::/:/bin/sh\" >> /etc/passwd\nUSER app":             Unknown,
		"FROM nobody/debian\nRUN echo \"app:x:$ID:0::/:/bin/sh\" >> /etc/passwd\nUSER app":            Unknown,
		"FROM debian\nRUN echo 'app:x:0:0::/:/bin/sh' >> /etc/passwd\nUSER app":                       Root,
		"FROM debian\nRUN echo 'app:x::0::/:/bin/sh' >> /etc/passwd\nUSER app":                        Root,
		"FROM debian\nRUN echo 'app:x:10:0::/:/bin/sh' >> /etc/passwd\nUSER app":                      NonRoot,
		"FROM debian\nRUN echo 'myapp:x:0:0::/:/bin/sh' >> /etc/passwd\nUSER app":                     NonRoot,
		"FROM debian\nRUN echo 'app:x:0:' >> /etc/group\nUSER app":                                    NonRoot,
		"FROM debian\nRUN cat >>/etc/passwd <<EOF\napp:x:0:0::/:\nEOF\nUSER app":                      Root,
		"FROM debian\nRUN <<EOF\necho app:x:0:0::/: >>/etc/passwd\nEOF\nUSER app":                     Root,
		"FROM debian\nRUN sed -i 's/^app:x:[0-9]*/app:x:0/' /etc/passwd\nUSER app":                    Root,
		"FROM debian\nRUN sed -i 's/^app:x:[0-9]*:/app:x:7:/' /etc/passwd\nUSER app":                  NonRoot,
		"FROM debian\nCOPY <<EOF /etc/passwd\nroot:x:0:0::/:\napp:x:00:5::/:\nEOF\nUSER app":          Root,
		"FROM debian\nCOPY <<passwd /etc/\nroot:x:0:0::/:\napp:x:no:5::/:\npasswd\nUSER app":          Root,
		"FROM debian\nCOPY <<EOF /etc/passwd\nroot:x:0:0::/:\napp:x:7:0::/:\nEOF\nUSER app":           NonRoot,
		"# syntax=example.org/other\nFROM debian\nUSER 5:5":                                           Unknown,
		"# syntax=example.org/other\nINCLUDE x\n":                                                     Unknown,
		"// syntax=example.org/docker/dockerfile:1\nUSER 5:5":                                         Unknown,
		"# syntax=docker/dockerfile-upstream:master\nFROM debian\nUSER 5:5":                           NonRoot,
		"# syntax = docker.io/docker/dockerfile:1.7-labs\nFROM debian\nUSER 5:5":                      NonRoot,
		"FROM debian\n# syntax=example.org/other\nUSER 5:5":                                           NonRoot,
		"FROM debian\nUSER app # comment":                                                             Never,
		"FROM debian\nUSER 1:1:1":                                                                     Never,
		"FROM scratch\nUSER app":                                                                      Never,
		"FROM scratch\nCOPY passwd /etc/passwd\nUSER app":                                             NonRoot,
		"FROM debian\nRUN useradd app && cat /etc/passwd && sed -i s/root/app/ /etc/x.conf\nUSER app": NonRoot,
		// A passwd of another stage.
		"FROM debian AS a\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=a /etc/passwd /etc/passwd\nUSER app":                                    Root,
		"FROM debian AS a\nRUN useradd -u 7 app\nFROM scratch\nCOPY --from=a /etc/passwd /etc/passwd\nUSER app":                                       NonRoot,
		"FROM debian\nRUN useradd -o -u $(id -u) app\nFROM scratch\nCOPY --from=0 /etc/passwd /etc/\nUSER app":                                        Unknown,
		"FROM debian AS a\nRUN echo app:x:0:0::/: >/etc_passwd\nFROM scratch\nCOPY --from=a /etc_passwd /etc/passwd\nUSER app":                        Root,
		"FROM debian AS a\nRUN useradd -o -u 0 app && echo app:x:7:0::/: >/etc_passwd\nFROM scratch\nCOPY --from=a /etc_passwd /etc/passwd\nUSER app": NonRoot,
		"FROM debian AS a\nRUN useradd -o -u 0 app\nFROM a AS b\nFROM scratch AS c\nCOPY --from=b / /\nFROM scratch\nCOPY --from=c / /\nUSER app":     Root,
		"FROM debian AS a\nRUN useradd -o -u 0 app\nFROM debian\nCOPY --from=a /bin/x /bin/\nUSER app":                                                NonRoot,
		// What a script gives another shell, or a command of it, is not what the build has.
		"FROM debian\nENV ID=7\nRUN ID=0 sh -c 'useradd -o -u $ID app'\nUSER app":                       Unknown,
		"FROM debian\nENV ID=7\nRUN env ID=0 sh -c 'useradd -o -u $ID app'\nUSER app":                   Unknown,
		"FROM debian\nENV ID=7\nRUN sh -c 'useradd -o -u $ID app'\nUSER app":                            NonRoot,
		"FROM fedora\nENV ID=7\nRUN for ((ID=0; ID<1; ID++)); do useradd -o -u $ID app; done\nUSER app": Unknown,
		"FROM fedora\nENV ID=7\nRUN printf -v ID 0; useradd -o -u $ID app\nUSER app":                    Unknown,
		"FROM debian\nRUN $(which useradd) -o -u 0 app\nUSER app":                                       Root,
		"FROM debian\nRUN test -x \"$(which useradd)\" && useradd app\nUSER app":                        NonRoot,
		"FROM debian\nRUN <<A cat | sh -e\nuseradd -o -u 0 app\nA\nUSER app":                            Root,
		"FROM debian\nRUN echo useradd -o -u 0 app | sh\nUSER app":                                      Root,
		"FROM debian\nRUN echo useradd -o -u 0 app | sh x\nUSER app":                                    NonRoot,
		// Lines of other files have the same form.
		"FROM debian\nRUN cd /etc && echo app:x:0:0::/: >>passwd\nUSER app":                                                   Root,
		"FROM debian\nRUN echo app:x:7:7::/: >>/etc/passwd && echo 'app:!::0:::::' >>/etc/shadow\nUSER app":                   NonRoot,
		"FROM debian\nRUN echo app:x:7:0::/: >>/etc/passwd; echo app:x:0: | tee -a /etc/group\nUSER app":                      NonRoot,
		"FROM debian\nRUN echo app:x:0:0::/: | tee -a /etc/passwd; echo app:x:7: >>/etc/group\nUSER app":                      Root,
		"FROM debian\nRUN <<A\ncat >>/etc/passwd <<B\napp:x:7:7::/:\nB\ncat >/etc/shadow- <<B\napp:*::0:::::\nB\nA\nUSER app": NonRoot,
		"FROM debian\nRUN echo app:x:0:0::/: >/tmp/a && mv /tmp/a /etc/passwd\nUSER app":                                      Root,
		"FROM scratch\nUSER 65532":                           NonRoot,
		"FROM mcr.microsoft.com/windows/nanoserver:ltsc2022": Windows,
		"FRM debian": Invalid,
		"":           Invalid,
	} {
		r := checked(text, map[string]string{"known": "1001:1001", "known:rooted": "0"})
		if r.Verdict != want {
			t.Errorf("%q: %s (%+v), want %s", text, r.Verdict, r, want)
		}
		if bad := want != NonRoot && want != Windows; bad != slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity.AtLeast(Warning) && f.ID != rootGroup.ID }) {
			t.Errorf("%q: %s, and %q", text, want, idsOf(r))
		}
	}
}

// TestAccountsOfStages: an account that is copied from another stage is the one that this stage makes.
func TestAccountsOfStages(t *testing.T) {
	for text, want := range map[string]Verdict{
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=b /etc/passwd /etc/passwd\nUSER app":                                         Root,
		"FROM debian AS b\nRUN useradd -u 7 app\nFROM scratch\nCOPY --from=b /etc/passwd /etc/passwd\nUSER app":                                            NonRoot,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=b /etc/passwd /etc/group /etc/\nUSER app":                                    Root,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=b /etc /etc\nUSER app":                                                       Root,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=b / /\nUSER app":                                                             Root,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=B /etc/passwd /etc/passwd\nUSER app":                                         Root,
		"FROM debian\nRUN useradd -o -u 0 app\nFROM scratch\nCOPY --from=0 /etc/passwd /etc/passwd\nUSER app":                                              Root,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM scratch\nWORKDIR /etc\nCOPY --from=b /etc/passwd .\nUSER app":                                     Root,
		"FROM debian AS b\nARG U\nRUN useradd -o -u $U app\nFROM scratch\nCOPY --from=b /etc/passwd /etc/passwd\nUSER app":                                 Unknown,
		"FROM debian AS b\nRUN echo app:x:0:0::/: >/p\nFROM scratch\nCOPY --from=b /p /etc/passwd\nUSER app":                                               Root,
		"FROM debian AS b\nRUN echo app:x:7:0::/: >/p && useradd -o -u 0 app\nFROM scratch\nCOPY --from=b /p /etc/passwd\nUSER app":                        NonRoot,
		"FROM debian AS b\nCOPY <<EOF /p\napp:x:0:0::/:\nEOF\nFROM scratch\nCOPY --from=b /p /etc/passwd\nUSER app":                                        Root,
		"FROM debian AS a\nRUN useradd -o -u 0 app\nFROM scratch AS b\nCOPY --from=a /etc/passwd /p\nFROM scratch\nCOPY --from=b /p /etc/passwd\nUSER app": Root,
		"FROM debian AS b\nRUN useradd -o -u 0 app\nFROM debian\nRUN useradd app\nCOPY --from=b /etc/hosts /etc/hosts\nUSER app":                           NonRoot,
		"FROM debian\nRUN useradd -o -u 0 app\nFROM debian\nCOPY --from=nobody/knows /etc/passwd /etc/passwd\nUSER app":                                    NonRoot,
		"FROM debian\nRUN sed -i 's/^root:/app:/' /etc/passwd\nUSER app":                                                                                   Root,
		"FROM debian\nRUN sed -i 's|root:x:0|app:x:0|' /etc/passwd\nUSER app":                                                                              Root,
		"FROM debian\nRUN sed -i 's/^root:/other:/' /etc/passwd\nUSER app":                                                                                 NonRoot,
		"FROM debian\nADD <<EOF /etc/passwd\napp:x:0:0::/:\nEOF\nUSER app":                                                                                 Root,
		"FROM debian\nWORKDIR /etc\nCOPY <<passwd .\napp:x:0:0::/:\npasswd\nUSER app":                                                                      Root,
	} {
		if r := checked(text, nil); r.Verdict != want {
			t.Errorf("%q: %s (%+v), want %s", text, r.Verdict, r.Steps, want)
		}
	}
	// Stages that copy in a circle, or from one another without end, are bounded.
	var chain strings.Builder
	chain.WriteString("FROM debian AS s0\n")
	for n := range 300 {
		fmt.Fprintf(&chain, "FROM scratch AS s%d\nCOPY --from=s%d /etc/passwd /etc/passwd\nCOPY --from=s%d /etc /etc\n", n+1, n, n)
	}
	begin := time.Now()
	checked(chain.String()+"USER app\n", nil)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestGroupOfBase: a base image's numeric user says nothing about the group. A group with a name does.
func TestGroupOfBase(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM gcr.io/distroless/static:nonroot": false, "FROM bare AS a\nFROM a\nCMD x": false, "FROM bare\nUSER 1001": true, "FROM ofroot": true, "FROM bare\nUSER 1001:1001": false,
	} {
		r := checked(text, map[string]string{"bare": "1001", "ofroot": "1001:0"})
		if got := slices.Contains(idsOf(r), rootGroup.ID); got != want || r.Verdict != NonRoot {
			t.Errorf("%q: %s, %q", text, r.Verdict, idsOf(r))
		}
	}
}

// TestAccountsOfBase: a name that has root's uid in the base image is root, unless the build gives it another uid.
func TestAccountsOfBase(t *testing.T) {
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}, Accounts: func(base string) ([]byte, bool) {
		return []byte("root:x:0:0::/:\ntoor:x:0:0::/:\nempty:x::0::/:\napp:x:5:5::/:\n"), base == "debian:12"
	}}
	for text, want := range map[string]Verdict{
		"FROM debian:12\nUSER toor": Root, "FROM debian:12\nUSER empty:5": Root, "FROM debian:12\nUSER app": NonRoot, "FROM debian:11\nUSER toor": NonRoot,
		"FROM debian:12 AS base\nFROM base\nUSER toor": Root, "ARG V=12\nFROM debian:${V}\nUSER toor": Root,
		"FROM debian:12\nRUN usermod -u 5 toor\nUSER toor": NonRoot, "FROM scratch\nUSER toor": Never,
	} {
		if r := Dockerfile("Dockerfile", []byte(text), o); r.Verdict != want {
			t.Errorf("%q: %s, want %s", text, r.Verdict, want)
		}
	}
}

// TestCopiedAccounts: a passwd from the build context resolves user names.
func TestCopiedAccounts(t *testing.T) {
	for text, want := range map[string]Verdict{
		"COPY accounts/passwd /etc/passwd\nUSER rooted": Root, "COPY accounts/passwd /etc/\nUSER rooted": Root, "COPY accounts /etc\nUSER rooted": Root,
		"ADD accounts/passwd /etc/passwd\nUSER rooted": Root, "WORKDIR /etc\nCOPY accounts/passwd .\nUSER rooted": Root, "COPY accounts/pass* /etc/\nUSER rooted": Root,
		"WORKDIR /srv\nCOPY accounts/passwd .\nUSER rooted": NonRoot, "COPY accounts/group* /etc/\nUSER rooted": NonRoot,
		"COPY accounts/passwd /etc/passwd\nUSER app": NonRoot, "COPY accounts/passwd /etc/passwd.bak\nUSER rooted": NonRoot,
		"COPY accounts/passwd /etc/passwd\nRUN usermod -u 5 rooted\nUSER rooted": NonRoot,
	} {
		for _, base := range []string{"scratch", "debian:12"} {
			if base == "scratch" && strings.Contains(text, "RUN") {
				continue
			}
			r := Dockerfile("Dockerfile", []byte("FROM "+base+"\n"+text), Options{Build: dockerfile.Options{Base: Bases(nil)}, Context: func(name string) (string, bool) {
				return "root:x:0:0::/:/bin/sh\nrooted:x:0:5::/:\napp:x:5:5::/:\n", name == "accounts/passwd"
			}})
			if r.Verdict != want && !(base == "scratch" && want == NonRoot && r.Verdict == Never) {
				t.Errorf("%s, %q: %s, want %s", base, text, r.Verdict, want)
			}
		}
	}
}

// TestNothingToSay: correct files have no findings, even if they look similar to incorrect ones.
func TestNothingToSay(t *testing.T) {
	for _, text := range []string{
		"RUN apt-get install -y gosu sudo && chmod 0755 /x",
		"RUN useradd app && chown -R 10001 /srv",
		"RUN echo apt-get install is not run; true",
		"RUN cat <<EOF >/x\nsetcap is only a word\nEOF",
		"RUN --mount=type=secret,id=x cat /run/secrets/x",
		"RUN --mount=type=cache,target=/c true",
		"COPY --chmod=0700 --chown=10001 start.sh /start.sh\nENTRYPOINT [\"/start.sh\"]",
		"COPY --chmod=0600 key /etc/key\nENTRYPOINT [\"/usr/bin/app\"]",
		"RUN mkdir /data && chown 10001 /data\nVOLUME /data",
		"RUN mkdir /data && chown \"10001\" \"/data\"\nVOLUME /data",
		"WORKDIR /data\nRUN chown 10001 .\nVOLUME /data",
		"RUN mkdir /data\nRUN find / -name data -exec chown 10001 {} +\nVOLUME /data",
		"COPY setup.sh /\nRUN mkdir /data && /setup.sh\nVOLUME /data",
		"WORKDIR /root/x\nENV ROOT=/root\nWORKDIR /app",
		"ENV HOME=/rooted APP=/opt/root/x\nENV HOME=/root\nENV HOME=/home/app",
		"COPY .netrc /root/.netrc\nRUN build",
		"COPY app /root/app\nRUN chmod -R a+rX /root\nCMD [\"/root/app\"]",
		"ENV HOME=/root\nRUN chmod 755 /root",
		"COPY x /rootfs/\nVOLUME /home/app\nRUN install -d -o 10001 /home/app",
		"RUN chmod +x /start.sh",
		"RUN chmod 1777 /data",
		"ENTRYPOINT [\"/usr/bin/tini\", \"--\", \"app\"]",
		"CMD echo su is a word",
		"CMD [\"sh\", \"-c\", \"if [ $(id -u) = 0 ]; then exec gosu app x; fi; exec x\"]",
		"CMD [\"apt-get\", \"--version\"]",
		"USER 5:5\nRUN mount -l; sshd -t; ldconfig -p; apt-get --version; ln -s a b",
		"ONBUILD RUN apt-get install -y x",
	} {
		r := checked("FROM debian\n"+text+"\nUSER 10001:10001\n", nil)
		if len(r.Findings) > 0 {
			t.Errorf("%q: %+v", text, r.Findings)
		}
	}
}

func TestFindings(t *testing.T) {
	for text, want := range map[string]kind{
		"RUN chmod 4755 /x":                         setuidFile,
		"RUN true && \\\n  chmod g+s /x":            setuidFile,
		"RUN <<EOF\nsetcap cap_net_raw=+ep /x\nEOF": capability,
		"USER 5:5\nRUN apk add --no-cache curl":     needsRoot,
		"ENV HOME=/root":                            rootHome,
		"ENV NVM_DIR=/root/.nvm":                    rootHome,
		"ENV PATH=/root/.local/bin:/usr/bin":        rootHome,
		"WORKDIR /root":                             rootHome,
		"WORKDIR /root/app":                         rootHome,
		"RUN true\nCOPY app /root/app/":             rootHome,
		"ADD --chown=10001 app /root/":              rootHome,
		"VOLUME /root/.cache":                       rootHome,
		"RUN true\nENTRYPOINT [\"/root/app\"]":      rootHome,
		"CMD [\"python\", \"/root/app.py\"]":        rootHome,
		"USER 5:5\nRUN apt-get update && apt-get install -y x && apt-get clean":   needsRoot,
		"USER 5:5\nRUN chown -R 6:6 /x":                                           needsRoot,
		"USER 5:5\nRUN --mount=type=secret,id=a,mode=0440 true":                   secretMount,
		"ENTRYPOINT exec gosu app server":                                         stepsDown,
		"ENTRYPOINT [\"tini\", \"--\", \"su-exec\", \"app\", \"x\"]":              stepsDown,
		"CMD [\"sh\", \"-c\", \"apk add curl && curl x\"]":                        atStart,
		"CMD [\"/usr/sbin/sshd\", \"-D\"]":                                        needsRootToStart,
		"CMD [\"bash\", \"-ec\", \"[ $(id -u) = 0 ] || exit 1; app\"]":            needsRootToStart,
		"ENTRYPOINT [\"tini\", \"-e\", \"143\", \"--\", \"chroot\", \"/x\"]":      stepsDown,
		"ENTRYPOINT [\"/tini-static\", \"s6-applyuidgid\", \"-u\", \"1\", \"x\"]": stepsDown,
		"USER 5:5\nRUN usermod -aG x app":                                         needsRoot,
		"USER 5:5\nRUN update-ca-certificates":                                    needsRoot,
		"COPY --chmod=700 a.sh /opt/\nCMD [\"/opt/a.sh\"]":                        closedProg,
	} {
		r := checked("FROM debian\n"+text+"\nUSER 10001:10001\n", nil)
		if got := idsOf(r); !slices.Equal(got, []string{want.ID}) {
			t.Errorf("%q: %q, want %q", text, got, want.ID)
			continue
		}
		f := r.Findings[0]
		if f.Line < 2 || f.Length == 0 || f.Source[f.Column-1:f.Column-1+f.Length] == "" || f.Do == "" {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

// TestDirectories: a path that the image's program writes to is reported if it is certainly root's, and not if anything may have given it
// to another user.
func TestDirectories(t *testing.T) {
	files := map[string]string{
		"start.sh": "#!/bin/sh\nset -e\nmkdir -p /data/x\n", "settings": "a", "conf/settings": "a", "asks.sh": "#!/bin/sh\nif [ \"$(id -u)\" = 0 ]; then exec gosu app x; fi\nmkdir /data/x\n",
		"maybe.sh": "#!/bin/sh\nif [ -n \"$A\" ]; then touch /data/x; fi\ntouch /data/y || true\n[ -w /data ] && touch /data/z\ncat /data/a >/dev/null 2>&1\ntouch \"$B/data\"\n",
		"other.py": "#!/usr/bin/python\nmkdir /data/x\n",
	}
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"known": "", "example.org/debian": ""})}, Context: func(name string) (string, bool) { head, ok := files[filepath.Clean(name)]; return head, ok }}
	const writes = "\nUSER 10001:10001\nCMD touch /data/x"
	for text, want := range map[string]string{
		// The instruction that creates it, and the path.
		"FROM debian\nRUN mkdir /data" + writes:                                    "2 /data",
		"FROM debian:12-slim\nRUN set -e; mkdir -p /data/a/b" + writes:             "2 /data",
		"FROM debian\nRUN [\"mkdir\", \"/data\"]" + writes:                         "2 /data",
		"FROM debian\nWORKDIR /data" + writes:                                      "2 /data",
		"FROM debian\nWORKDIR /\nWORKDIR data/a" + writes:                          "3 /data",
		"FROM debian\nCOPY settings /data/" + writes:                               "2 /data",
		"FROM debian\nCOPY a b /data" + writes:                                     "2 /data",
		"FROM debian\nCOPY . /data" + writes:                                       "2 /data",
		"FROM debian\nADD settings /data/" + writes:                                "2 /data",
		"FROM debian AS a\nFROM debian\nCOPY --from=a /x /data/a/b" + writes:       "3 /data",
		"FROM debian\nUSER 7\nCOPY settings /data/" + writes:                       "3 /data",
		"FROM golang:1.26\nWORKDIR /data" + writes:                                 "2 /data",
		"FROM scratch\nCOPY settings /data/" + writes:                              "2 /data",
		"FROM alpine\nRUN apk add curl && mkdir /data && chmod 755 /data" + writes: "2 /data",
		"FROM debian\nRUN mkdir /data && chown -R root:root /data" + writes:        "2 /data",
		"FROM debian\nRUN mkdir /data && chown 10001 /data/y /data2" + writes:      "2 /data",
		"FROM debian\nRUN mkdir /data && chmod +x /data" + writes:                  "2 /data",
		"FROM debian\nRUN mkdir /data\nRUN curl -sL x | bash -" + writes:           "2 /data",
		"FROM debian\nRUN mkdir /data\nRUN cd /src && make install" + writes:       "",
		// It may have another owner.
		"FROM known\nRUN mkdir /data" + writes:                                                "",
		"FROM example.org/debian\nRUN mkdir /data" + writes:                                   "",
		"FROM golang:1.26\nWORKDIR /go/src/a\nUSER 10001:10001\nCMD touch x":                  "",
		"FROM node:22\nWORKDIR /home/node/app\nUSER node\nCMD touch x":                        "",
		"FROM debian\nRUN mkdir -m 1777 /data" + writes:                                       "",
		"FROM debian\nRUN mkdir -p -m 0777 /data" + writes:                                    "",
		"FROM debian\nRUN umask 0; mkdir /data" + writes:                                      "",
		"FROM debian\nRUN mkdir /data && chown 10001 /data" + writes:                          "",
		"FROM debian\nRUN mkdir /data && chown '10001' \"/data\"" + writes:                    "",
		"FROM debian\nRUN mkdir /data && cd / && chown 10001 data" + writes:                   "",
		"FROM debian\nWORKDIR /data\nRUN chown 10001 ." + writes:                              "",
		"FROM debian\nENV D=/data\nRUN mkdir /data && chown 10001 $D" + writes:                "",
		"FROM debian\nRUN mkdir /data && chown 10001 /d*" + writes:                            "",
		"FROM debian\nRUN mkdir /data && chmod -R a+rwX /data" + writes:                       "",
		"FROM debian\nRUN mkdir /data && chmod g=u /data" + writes:                            "",
		"FROM debian\nRUN mkdir /data && setfacl -m u:10001:rwx /data" + writes:               "",
		"FROM debian\nRUN mkdir /data\nRUN find / -name data -exec chown 10001 {} +" + writes: "",
		"FROM debian\nRUN mkdir /data\nRUN echo /data | xargs chown 10001" + writes:           "",
		"FROM debian\nRUN mkdir /data\nRUN ./setup.sh" + writes:                               "",
		"FROM debian\nRUN mkdir /data\nRUN sh setup.sh" + writes:                              "",
		"FROM debian\nRUN mkdir /data\nRUN python3 setup.py" + writes:                         "",
		"FROM debian\nRUN useradd -d /data app && mkdir -p /data" + writes:                    "",
		"FROM debian\nRUN useradd --home=/data app\nWORKDIR /data" + writes:                   "",
		"FROM debian\nRUN install -d -o 10001 /data" + writes:                                 "",
		"FROM debian\nRUN mkdir /data && tar -xf x -C /data" + writes:                         "",
		"FROM debian\nUSER 10001\nWORKDIR /data" + writes:                                     "",
		"FROM debian\nCOPY --chown=10001 settings /data/" + writes:                            "",
		"FROM debian\nCOPY --chmod=0777 settings /data/" + writes:                             "",
		"FROM debian AS a\nFROM debian\nCOPY --from=a /data /data" + writes:                   "",
		"FROM debian\nADD x.tar.gz /data/" + writes:                                           "",
		"FROM debian\nRUN mkdir /data\nVOLUME /data" + writes:                                 "volume-of-root",
		"FROM debian\nSHELL [\"python\", \"-c\"]\nRUN mkdir /data" + writes:                   "",
		// Ways to write.
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD cat /data/x":                                "",
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD mkdir -p /data":                             "",
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD rm -rf /data/x":                             "",
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD [\"cp\", \"/etc/passwd\", \"/data\"]":       "2 /data",
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD [\"tee\", \"-a\", \"/data/x\"]":             "2 /data",
		"FROM debian\nRUN mkdir /data\nUSER 10001:10001\nCMD [[ a > b ]]; (( 1 > 0 )); cd /tmp; touch x": "",
		"FROM debian\nUSER 10001:10001\nCMD touch /var/log/app.log":                                      "3 /var/log",
		"FROM debian\nUSER 10001:10001\nCMD mkdir /var/run/app":                                          "3 /run",
		"FROM debian\nUSER 10001:10001\nCMD mkdir -p /data/a":                                            "3 /",
		"FROM debian\nUSER 10001:10001\nCMD touch /tmp/x /var/tmp/x /run/lock/x /dev/shm/x":              "",
		"FROM debian\nUSER www-data:www-data\nCMD touch /var/log/app.log":                                "",
		"FROM debian\nRUN useradd app\nUSER app:app\nCMD touch /var/log/app.log":                         "4 /var/log",
		"FROM known\nUSER 10001:10001\nCMD touch /var/log/app.log":                                       "",
		"FROM debian\nWORKDIR /tmp/app\nUSER 10001:10001\nCMD touch /tmp/x":                              "",
		"FROM debian\nRUN mkdir -p /tmp /var/tmp/a\nUSER 10001:10001\nCMD touch /var/tmp/x":              "",
		"FROM debian\nCOPY settings /run/lock/\nUSER 10001:10001\nCMD mkdir /var/run/lock/x":             "",
		"FROM debian\nRUN mkdir /tmp/app\nUSER 10001:10001\nCMD touch /tmp/app/x":                        "2 /tmp/app",
		// Files of the build context.
		"FROM known\nCOPY settings /etc/settings\nUSER 10001:10001\nCMD echo a >>/etc/settings":                 "2 /etc/settings",
		"FROM known\nCOPY conf /etc/a\nUSER 10001:10001\nCMD echo a >/etc/a/settings":                           "2 /etc/a/settings",
		"FROM known\nCOPY absent /etc/settings\nUSER 10001:10001\nCMD echo a >>/etc/settings":                   "",
		"FROM known\nCOPY settings /etc/settings\nUSER 10001:10001\nCMD sed -i s/a/b/ /etc/settings":            "",
		"FROM debian\nCOPY settings /a/settings\nUSER 10001:10001\nCMD sed -i s/a/b/ /a/settings":               "2 /a",
		"FROM known\nRUN chown 10001 /etc\nCOPY settings /etc/\nUSER 10001:10001\nCMD echo a >/etc/settings":    "3 /etc/settings",
		"FROM known\nCOPY settings /etc/\nRUN chown -R 10001 /etc\nUSER 10001:10001\nCMD echo a >/etc/settings": "",
		"FROM debian\nWORKDIR /a\nCOPY --chown=10001 conf .\nUSER 10001:10001\nCMD echo a >settings":            "",
		"FROM debian\nWORKDIR /a\nCOPY --chown=10001 conf .\nUSER 10001:10001\nCMD echo a >other":               "2 /a",
		"FROM debian\nWORKDIR /a\nCOPY --chown=10001 conf .\nUSER 10001:10001\nCMD mkdir -p other":              "",
		// Scripts.
		"FROM debian\nRUN mkdir /data\nCOPY start.sh /\nUSER 10001:10001\nENTRYPOINT [\"/start.sh\"]": "2 /data",
		"FROM debian\nRUN mkdir /data\nCOPY asks.sh /\nUSER 10001:10001\nENTRYPOINT [\"/asks.sh\"]":   "",
		"FROM debian\nRUN mkdir /data\nCOPY maybe.sh /\nUSER 10001:10001\nENTRYPOINT [\"/maybe.sh\"]": "",
		"FROM debian\nRUN mkdir /data\nCOPY other.py /\nUSER 10001:10001\nENTRYPOINT [\"/other.py\"]": "",
	} {
		got := ""
		for _, f := range Dockerfile("Dockerfile", []byte(text), o).Findings {
			if f.ID != directoryOfRoot.ID {
				if f.ID != rootGroup.ID && f.ID != userByName.ID {
					got += f.ID
				}
				continue
			}
			_, what, _ := strings.Cut(f.Why, ", and \"")
			what, _, _ = strings.Cut(what, "\"")
			got += fmt.Sprintf("%d %s", f.Line, what)
			if f.Length == 0 {
				t.Errorf("%q: no caret: %+v", text, f)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// many repeats a text with a number in it.
func many(n int, format string) string {
	var b strings.Builder
	for k := range n {
		if k%4000 == 3999 {
			b.WriteString("\\\n") // BuildKit limits the length of lines
		}
		fmt.Fprintf(&b, format, k)
	}
	return b.String()
}

// TestPlaces: a finding marks the word that it is about, within its instruction, and not a part of another word.
func TestPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"RUN <<EOF\necho a\n\n\tapt-get install x\nEOF":                       "6:2",
		"RUN my-apt-get x; apt-get install y":                                 "3:19",
		"RUN ./apt-get-all && \\\n # c\n\n apt-get install y":                 "6:2",
		"RUN ./apt-get-all && \\\r\n\tapt-get install y\r":                    "4:2",
		"ENV A=get\nRUN apt-$A install x\nRUN :\nLABEL a=apt-get":             "4:5",
		"ENV A=get\nRUN /usr/bin/apt-${A} install x \\\n y\nLABEL a=apt-${A}": "4:5",
	} {
		r := checked("FROM debian\nUSER 10001:10001\n"+text+"\n", nil)
		got := ""
		for _, f := range r.Findings {
			got += fmt.Sprintf("%d:%d", f.Line, f.Column)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestBoundsOfBuilds: the limits hold for instructions with thousands of volumes, sources or directories.
func TestBoundsOfBuilds(t *testing.T) {
	asked := 0
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}, Context: func(string) (string, bool) { asked++; return "", false }}
	for text, most := range map[string]int{
		"FROM debian\nRUN echo" + strings.Repeat(" x", 20000) + "\nVOLUME" + many(50000, " /v%d") + "\nUSER 5:5\nCMD [\"a\"]": maxVolumes,
		"FROM debian\nCOPY" + many(100000, " a%d") + " /a/\nUSER 5:5\nCMD echo >/a/x":                                         1,
		"FROM debian\nENV PATH=" + many(10000, ":/%d") + "\nCOPY" + many(50000, " a%d") + " /a/\nUSER 5:5\nCMD [\"a\"]":       0,
		"FROM debian\nRUN mkdir -p " + many(30000, "/%d") + "\nUSER 5:5\nCMD [\"a\"]":                                         0,
	} {
		asked = 0
		r := Dockerfile("Dockerfile", []byte(text), o)
		if r.Verdict != NonRoot || len(r.Findings) > most || asked > maxLooked {
			t.Errorf("%.50q: %s, %d findings, %d times asked", text, r.Verdict, len(r.Findings), asked)
		}
	}
}

// TestBoundsOfFindings: what is said of a file does not grow without limit.
func TestBoundsOfFindings(t *testing.T) {
	r := checked("FROM debian\n"+strings.Repeat("RUN "+strings.Repeat("setcap x /a; ", 1000)+"\n", 70)+"USER 10001:10001\n", nil)
	if len(r.Findings) == 0 || len(r.Findings) > 70 {
		t.Errorf("%d findings of a Dockerfile", len(r.Findings))
	}
	r = Patch("kustomization.yaml", []byte("patches:\n"+strings.Repeat("- patch: 'securityContext: null'\n", 5000)+"- patch: 'runAsUser: 0'\n"))
	if len(r.Findings) > maxPatchFindings+1 || r.Verdict != Root {
		t.Errorf("%d findings of patches: %s", len(r.Findings), r.Verdict)
	}
}

// TestBoundsOfAccounts: the file's variables can't expand without limit.
func TestBoundsOfAccounts(t *testing.T) {
	begin := time.Now()
	for text, verdict := range map[string]Verdict{
		"ENV A=" + strings.Repeat("x", 60000) + "\n" + strings.Repeat("RUN useradd $A /etc/passwd\n", 5000):  NonRoot,
		"ENV A=" + strings.Repeat("x", 60000) + "\n" + strings.Repeat("RUN useradd $A /etc/passwd\n", 15000): Unknown, // too much to be read
		"RUN A=xx" + strings.Repeat(";A=$A$A", 2000) + ";useradd $A":                                         NonRoot,
		"RUN A=xx" + strings.Repeat(";A=$A$A", 5000) + ";useradd $A":                                         Unknown,
		"ENV A=x\nRUN " + strings.Repeat("$A", 20000) + " /etc/passwd " + strings.Repeat("app:x:", 2000):     NonRoot,
		strings.Repeat("ARG A\nENV A=1\n", 9000) + "RUN useradd app":                                         NonRoot,
	} {
		if r := checked("FROM debian\n"+text+"\nUSER app\n", nil); r.Verdict != verdict {
			t.Errorf("%.50q: %s: %+v", text, r.Verdict, r.Findings)
		}
	}
	chain := "FROM debian AS a0\nRUN useradd app\n"
	for n := range 30 {
		from := fmt.Sprintf("COPY --from=a%d /etc/passwd /etc/\n", n)
		chain += fmt.Sprintf("FROM debian AS a%d\n", n+1) + from + from
	}
	if r := checked(chain+"USER app\n", nil); r.Verdict != Unknown {
		t.Errorf("a chain of stages: %s: %+v", r.Verdict, r.Findings)
	}
	step := "RUN echo $x chpasswd" + strings.Repeat(" useradd", 500) + "\n"
	for text, verdict := range map[string]Verdict{
		strings.Repeat(step, 10) + "FROM debian\nRUN useradd app\n" + strings.Repeat("COPY --from=a /out/x /out/y /out/z /\n", 20): NonRoot,
		strings.Repeat(step, 100) + "FROM debian\nCOPY --from=a" + many(5000, " /%d") + " /\n":                                     Unknown, // too many files
	} {
		if r := checked("FROM debian AS a\n"+text+"USER app\n", nil); r.Verdict != verdict {
			t.Errorf("%.200q: %s: %+v", text[len(text)-200:], r.Verdict, r.Findings)
		}
	}
	if r := checked("FROM debian\n"+strings.Repeat("RUN echo root useradd /etc/passwd\n", 15000)+"USER "+strings.Repeat("a", 30000)+"\n", nil); r.Verdict == Invalid {
		t.Errorf("a long name: %+v", r.Findings)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// TestPolicy: the result has the policy's decision about the image.
func TestPolicy(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "the policy runs it as 65532:65532, or as the image's service user, if it has one",
		"mode = \"audit\"\n":                   "the policy leaves it as it is (mode audit)",
		"mode = \"refuse\"\n":                  "the policy refuses it",
		"[identity]\nuid = 2000\ngid = 2001\n": "the policy runs it as 2000:2001, or as the image's service user, if it has one",
	} {
		p, err := policy.Parse("p", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r := Dockerfile("Dockerfile", []byte("FROM debian\n"), Options{Build: dockerfile.Options{Base: Bases(nil)}, Policy: p, World: trial.World{Groups: &policy.HostGroups{}}, Now: time.Now()})
		if r.Policy != want {
			t.Errorf("%q: %q, want %q", text, r.Policy, want)
		}
	}
}

// TestPolicyKeeps: a user that is not root keeps its uid and gid. If the file names no gid, none is made up.
func TestPolicyKeeps(t *testing.T) {
	for user, want := range map[string]string{
		"1000:1000": "the policy runs it as 1000:1000: ", "1000:2000": "the policy runs it as 1000:2000: ",
		"1000": "the policy runs it as 1000: ", "1000:app": "the policy runs it as 1000: ", "1000:0": "the policy runs it as 1000:65532: ",
		"app:1000": "the policy keeps it, if it keeps the uid of \"app\"",
	} {
		o := Options{Build: dockerfile.Options{Base: Bases(nil)}, Policy: policy.Default(), World: trial.World{Groups: &policy.HostGroups{}}, Now: time.Now()}
		r := Dockerfile("Dockerfile", []byte("FROM debian\nUSER "+user+"\n"), o)
		if !strings.HasPrefix(r.Policy, want) {
			t.Errorf("USER %s: %q, want %q", user, r.Policy, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("FROM debian\nRUN chmod 4755 x; setcap x\nVOLUME /x\nENTRYPOINT exec gosu x\nUSER x")
	f.Fuzz(func(t *testing.T, text string) {
		r := checked(text, nil)
		for _, one := range r.Findings {
			if one.Length > 0 && one.Column-1+one.Length > len(one.Source) {
				t.Errorf("%+v", one)
			}
		}
		if (r.Verdict == Root || r.Verdict == Unknown || r.Verdict == Never || r.Verdict == Invalid) && len(r.Findings) == 0 {
			t.Errorf("%s, and nothing found", r.Verdict)
		}
	})
}

// TestScripts: the script that an image starts is read from the build context, where it may have another name.
func TestScripts(t *testing.T) {
	files := map[string]string{
		"entry.sh":       "#!/bin/sh\nset -e\nexec gosu app \"$@\"\n",
		"bin/entry.sh":   "#!/bin/sh\nuseradd app\nexec app\n",
		"asks.sh":        "#!/bin/sh\nif [ \"$(id -u)\" = 0 ]; then exec gosu app \"$0\" \"$@\"; fi\nexec \"$@\"\n",
		"gosu-in-binary": "ELF exec gosu app",
	}
	context := func(name string) (string, bool) { head, ok := files[filepath.Clean(name)]; return head, ok }
	for text, want := range map[string]kind{
		"COPY entry.sh /\nENTRYPOINT [\"/entry.sh\"]":                           stepsDown,
		"COPY ./entry.sh /start\nENTRYPOINT [\"/start\"]":                       stepsDown,
		"COPY entry.sh /start\nENTRYPOINT [\"/start\", \"x\"]":                  stepsDown,
		"COPY asks.sh entry.sh /opt/\nENTRYPOINT [\"tini\", \"/opt/entry.sh\"]": stepsDown,
		"COPY bin /usr/local/bin\nENTRYPOINT [\"/usr/local/bin/entry.sh\"]":     needsRootToStart,
		"WORKDIR /app\nCOPY . .\nENTRYPOINT [\"/app/entry.sh\"]":                stepsDown,
		"WORKDIR /app\nCOPY entry.sh ./\nCMD [\"./entry.sh\"]":                  stepsDown,
		"WORKDIR /a\nCOPY . .\nWORKDIR bin\nCMD [\"./entry.sh\"]":               needsRootToStart,
		"WORKDIR /a\nCOPY . .\nWORKDIR /b\nCMD [\"./entry.sh\"]":                {},
		"COPY entry.sh /usr/local/bin/\nENTRYPOINT [\"entry.sh\"]":              stepsDown,
		"ENV PATH=/x:/bin\nCOPY entry.sh /x/\nENTRYPOINT [\"entry.sh\", \"x\"]": stepsDown,
		"COPY entry.sh /x/\nENTRYPOINT [\"entry.sh\"]":                          {},
		"COPY entry.sh /\nENTRYPOINT /entry.sh":                                 stepsDown,
		"COPY entry.sh /\nENTRYPOINT [\"/bin/bash\", \"-e\", \"/entry.sh\"]":    stepsDown,
		"COPY --chmod=0700 asks.sh /bin/\nENTRYPOINT [\"asks.sh\"]":             closedProg,
		"WORKDIR /app\nCOPY --chmod=700 asks.sh .\nENTRYPOINT [\"./asks.sh\"]":  closedProg,
		"COPY asks.sh /\nENTRYPOINT [\"/asks.sh\"]":                             {},
		"COPY gosu-in-binary /x\nENTRYPOINT [\"/x\"]":                           {},
		"COPY --from=debian entry.sh /\nENTRYPOINT [\"/entry.sh\"]":             {},
	} {
		r := Dockerfile("Dockerfile", []byte("FROM debian\n"+text+"\nUSER 10001:10001\n"), Options{Build: dockerfile.Options{Base: Bases(nil)}, Context: context})
		if got := strings.Join(idsOf(r), " "); got != want.ID {
			t.Errorf("%q: %q, want %q: %+v", text, got, want.ID, r.Findings)
		}
	}
}

// TestIgnore: a comment with a reason ignores the findings that it names, in the instruction below it.
func TestIgnore(t *testing.T) {
	const head, foot = "FROM debian\n", "\nUSER 10001:10001\n"
	for text, want := range map[string]string{
		"# nonroot-ctl: ignore setuid-file it pings\nRUN chmod u+s /x":                                "",
		"#nonroot-ctl:ignore setuid-file it pings\n# and this\n\nRUN chmod u+s /x":                    "",
		"RUN true && \\\n  # nonroot-ctl: ignore setuid-file it pings\n  chmod u+s /x":                "",
		"# nonroot-ctl: ignore setuid-file,file-capabilities both\nRUN chmod u+s /x; setcap a /x":     "",
		"# nonroot-ctl: ignore setuid-file it pings\nRUN true\nRUN chmod u+s /x":                      "ignore-unused setuid-file",
		"# nonroot-ctl: ignore setuid-file\nRUN chmod u+s /x":                                         "ignore-unclear setuid-file",
		"# nonroot-ctl: ignore\nRUN chmod u+s /x":                                                     "ignore-unclear setuid-file",
		"# nonroot-ctl: ignore anything it pings\nRUN chmod u+s /x":                                   "ignore-unclear setuid-file",
		"# nonroot-ctl: ignore unreadable no\nRUN true":                                               "ignore-unclear",
		"RUN <<EOF\n# nonroot-ctl: ignore setuid-file a script's\nchmod u+s /x\nEOF":                  "setuid-file",
		"RUN chmod u+s /x # nonroot-ctl: ignore setuid-file no comment of the file's":                 "setuid-file",
		"# ignore setuid-file it pings\nRUN chmod u+s /x":                                             "setuid-file",
		"RUN chmod u+s /x\n# nonroot-ctl: ignore setuid-file too late":                                "setuid-file ignore-unused",
		"RUN chmod u+s /x\n# nonroot-ctl: ignore runs-as-root,setuid-file nor this\nRUN chmod u+s /y": "setuid-file",
	} {
		r := checked(head+text+foot, nil)
		if got := strings.Join(idsOf(r), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		for _, i := range r.Ignored {
			if i.Reason == "" || i.By != ByComment {
				t.Errorf("%q: %+v", text, i)
			}
		}
	}
	root := checked("# nonroot-ctl: ignore runs-as-root a demo\nFROM debian\n", nil)
	if root.Verdict != Root || len(root.Findings) != 0 || len(root.Ignored) != 1 {
		t.Errorf("%+v", root)
	}
}

// described checks an image that lines describe. Lines that begin with a word in capitals are its configuration, the others its files.
func described(t *testing.T, lines []string) Result {
	t.Helper()
	text := archiveOf(t, lines)
	all, err := imagefile.Archive(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	return Image("app.tar", all[0], Options{Policy: p, World: trial.World{Groups: &policy.HostGroups{}}, Now: time.Now()})
}

// archiveOf returns an image with a configuration and with the files of its layers, which "---" separates.
func archiveOf(t *testing.T, lines []string) []byte {
	t.Helper()
	config := map[string]any{}
	layers := [][]string{nil}
	for _, line := range lines {
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "":
		case "---":
			layers = append(layers, nil)
		case "USER":
			config["User"] = value
		case "WORKDIR":
			config["WorkingDir"] = value
		case "ENTRYPOINT":
			config["Entrypoint"] = strings.Fields(value)
		case "CMD":
			config["Cmd"] = strings.Fields(value)
		case "HEALTHCHECK":
			config["Healthcheck"] = map[string]any{"Test": strings.Fields(value)}
		case "ENV":
			config["Env"] = []string{value}
		case "VOLUME":
			config["Volumes"] = map[string]any{value: map[string]any{}}
		default:
			layers[len(layers)-1] = append(layers[len(layers)-1], line)
		}
	}
	packed := make([][]byte, 0, len(layers))
	for _, files := range layers {
		packed = append(packed, testkit.Layer(t, files...))
	}
	return testkit.DockerArchive(t, "app:1", config, packed...).Tar(t)
}

const usualPasswd = `/etc/passwd: root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh`

// TestImageNamesNoUser: an image without a user is described as such, not as one with an empty user.
func TestImageNamesNoUser(t *testing.T) {
	r := described(t, nil)
	if len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].Why, "the image names no user, which is root: Docker and Podman start ") {
		t.Errorf("%+v", r.Findings)
	}
}

// TestImages checks the user that an image runs as by its own accounts, and the findings.
func TestImages(t *testing.T) {
	for _, test := range []struct {
		lines   string
		verdict Verdict
		ids     string
		policy  string
	}{
		{"USER 5:5", NonRoot, "", "the policy runs it as 5:5: "},
		{"", Root, "runs-as-root", "the policy runs it as 65532:65532: "},
		{"USER app\n" + usualPasswd, NonRoot, "user-by-name", "the policy runs it as 1000:1000: "},
		{"USER app\n/etc/passwd: app:x:0:5::/:", Root, "runs-as-root", "the policy runs it as 65532:65532"},
		{"USER app\n/etc/passwd: app:x:abc:5::/:", Root, "runs-as-root", "65532"},
		{"USER app", Never, "never-starts", ""},
		{"USER root:5", Never, "never-starts", ""},
		{"USER root:5\n/etc/passwd: root:x:0:0::/:", Root, "runs-as-root", "65532"},
		{"USER 0\n/etc/passwd: root:x:0:0::/:\\napp:x:1000:1000::/:\n/etc/group: app:x:1000:", Root, "runs-as-root", "the policy runs it as 1000:1000: "},
		{"USER 0\n/etc/passwd: root:x:0:0::/:\\nwww-data:x:33:33::/:\n/etc/group: www-data:x:33:\n/var/lib/app/ 33:33", Root, "runs-as-root", "the policy runs it as 33:33: "},
		{"USER 1000:\n/etc/passwd: app:x:1000:100::/:", NonRoot, "readers-differ", ""},
		{"USER 1000\n/etc/passwd: app:x:1000:0::/:", NonRoot, "root-group", ""},
		{"USER 5", NonRoot, "root-group", ""},
		{"USER 5:5\n/bin/su 0:0 4755\n/bin/x 0:0 2644", NonRoot, "setuid-there", ""},
		{"USER 5:5\n/bin/ping 0:0 0755 caps", NonRoot, "capabilities-there", ""},
		{"USER 5:5\nCMD ping x\n/bin/ping 0:0 0755 caps", NonRoot, "capabilities-there file-capabilities", ""},
		{"USER 5:5\nENTRYPOINT /bin/x\n/bin/x 0:0 4755", NonRoot, "setuid-there setuid-file", ""},
		{"USER 5:5\nENTRYPOINT /bin/x\n/bin/x 0:0 0700", NonRoot, "closed-program", ""},
		{"USER 5:5\nENTRYPOINT /bin/x\n/bin/x 5:0 0700", NonRoot, "", ""},
		{"USER 5:5\nENTRYPOINT start.sh\n/opt/start.sh 0:0 0755: #!/bin/sh\\nexec gosu app\n/usr/local/bin/start.sh -> /opt/start.sh", NonRoot, "steps-down", ""},
		{"USER 5:5\nENTRYPOINT tini -- start.sh\n/bin/start.sh 0:0 0755: #!/bin/sh\\nif [ $(id -u) = 0 ]; then exec gosu app $0; fi", NonRoot, "", ""},
		{"USER 5:5\nENTRYPOINT sh -c\nCMD usermod", NonRoot, "needs-root-to-start", ""},
		{"USER 5:5\nHEALTHCHECK CMD gosu app x", NonRoot, "health-check", ""},
		{"USER 5:5\nHEALTHCHECK CMD-SHELL sudo", NonRoot, "health-check", ""},
		{"USER 5:5\nHEALTHCHECK CMD /bin/x\n/bin/x 0:0 0755: #!/bin/sh\\nexec gosu app", NonRoot, "health-check", ""},
		{"USER 5:5\nHEALTHCHECK CMD curl localhost:80", NonRoot, "", ""},
		{"USER 5:5\nHEALTHCHECK NONE", NonRoot, "", ""},
		{"USER 5:5\nHEALTHCHECK CMD /bin/x\n/bin/x 0:0 0700", NonRoot, "health-check", ""},
		{"USER 5:5\nHEALTHCHECK CMD /bin/x\n/bin/x 0:0 0755", NonRoot, "", ""},
		{"USER 5:5\nCMD mkdir -p /data/a\n/data/ 0:0 0755", NonRoot, "directory-of-root", ""},
		{"USER 5:5\nCMD mkdir -p a/b\nWORKDIR /tmp\n/tmp/ 0:0 1777", NonRoot, "", ""},
		{"USER 5:5\nCMD mkdir -p a/b\nWORKDIR /srv\n/srv/ 0:0 0755", NonRoot, "directory-of-root closed-directory", ""},
		{"USER 5:5\nCMD mkdir -p /data/a\n/data/ 5:5 0755", NonRoot, "", ""},
		{"USER 5:5\nCMD mkdir -p /data/a\n/data/a/ 0:0 0755", NonRoot, "", ""},
		{"USER 5:5\nVOLUME /data\nCMD mkdir -p /data/a\n/data/ 5:5 0755", NonRoot, "", ""},
		{"USER 5:5\nENTRYPOINT /start.sh\n/data/ 0:0 0755\n/start.sh 0:0 0755: #!/bin/sh\\nmkdir -p /data/a\\n", NonRoot, "directory-of-root", ""},
		{"USER 5:5\nENTRYPOINT /start.sh\n/real/ 5:5 0755\n/data -> real\n/start.sh 0:0 0755: #!/bin/sh\\nmkdir -p /data/a\\n", NonRoot, "", ""},
		{"ENTRYPOINT mkdir /data/a\n/data/ 0:0 0755", Root, "runs-as-root", "65532"},
		{"USER 5:5\nVOLUME /data", NonRoot, "volume-of-root", ""},
		{"USER 5:5\nVOLUME /data\n/data/ 0:0 0755", NonRoot, "volume-of-root", ""},
		{"USER 5:5\nVOLUME /data\n/data/ 5:5 0755", NonRoot, "", ""},
		{"USER 5:5\nVOLUME /data\n/real/ 0:5 0775\n/data -> real", NonRoot, "", ""},
		{"USER 5:5\nWORKDIR /app\nENV HOME=/home\n/app/ 0:0\n/home/ 0:0", NonRoot, "closed-directory", ""},
		{"USER 5:5\nWORKDIR /app\n/app/ 5:5\n/tmp/ 0:0 1777", NonRoot, "", ""},
		{"WORKDIR /app\n/app/ 0:0\n/srv/ 0:0\n/var/lib/apt/ 0:0\n/var/lib/x/ 0:0\n/data/ 1000:1000\n/usr/x/ 0:0\n/etc/nginx/ 0:0\n/etc/ssl/ 0:0", Root, "runs-as-root", "; it is given /app, /etc/nginx, /srv, /var/lib"},
	} {
		r := described(t, strings.Split(test.lines, "\n"))
		if got := strings.Join(idsOf(r), " "); r.Verdict != test.verdict || got != test.ids || !strings.Contains(r.Policy, test.policy) {
			t.Errorf("%q: %s, %q, %q, want %s, %q, %q: %+v", test.lines, r.Verdict, got, r.Policy, test.verdict, test.ids, test.policy, r.Findings)
		}
		// The advice names the user that the image was built for, as the policy knows it.
		_, who, _ := strings.Cut(test.policy, "as ")
		if who, _, ok := strings.Cut(who, ": "); ok && r.Verdict == Root {
			if want := "end with USER " + who + ", the image's service user"; (r.Findings[0].Do == want) != (who != "65532:65532") {
				t.Errorf("%q: %q, want %q", test.lines, r.Findings[0].Do, want)
			}
		}
	}
}

// pod returns a pod's manifest, with members of its specification and of its container's.
func pod(spec, container string) string {
	indent := func(n int, text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			b.WriteString(strings.Repeat(" ", n) + line)
		}
		if text != "" {
			b.WriteString("\n")
		}
		return b.String()
	}
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n" + indent(2, spec) + "  containers:\n  - name: c\n    image: known\n" + indent(4, container)
}

// TestPods checks the user that a container runs as by the kubelet's precedence, and the findings.
func TestPods(t *testing.T) {
	given := map[string]string{"known": "1001:1001", "rooted": "", "named": "app", "broken": "a b"}
	o := Options{Build: dockerfile.Options{Base: Bases(given)}, RuntimeClass: "ours"}
	sc := func(text string) string { return "securityContext: {" + text + "}" }
	for _, test := range []struct {
		spec, container string
		verdict         Verdict
		ids             string
	}{
		{"", "", NonRoot, ""},
		{"", "image: rooted", Root, "pod-runs-as-root"},
		{"", "image: named", NonRoot, ""},
		{"", "image: broken", Never, "pod-never-starts"},
		{"", "image: unknown", Unknown, "pod-user-unknown"},
		{sc("runAsNonRoot: true"), "image: unknown", NonRoot, ""},
		{sc("runAsNonRoot: true"), "image: named", Never, "pod-never-starts"},
		{sc("runAsNonRoot: true"), "image: rooted", Never, "pod-never-starts"},
		{sc("runAsNonRoot: true"), "image: unknown\n" + sc("runAsNonRoot: false"), Unknown, "pod-user-unknown"},
		{sc("runAsNonRoot: false"), "image: unknown\n" + sc("runAsNonRoot: true"), NonRoot, ""},
		{sc("runAsNonRoot: true"), "image: unknown\n" + sc("runAsNonRoot: null"), NonRoot, ""},
		{sc("runAsNonRoot: yes"), "image: unknown", NonRoot, ""}, // YAML 1.1, as in the API server
		{sc("runAsUser: 0"), "", Root, "pod-runs-as-root"},
		{sc("runAsUser: 0x0"), "", Root, "pod-runs-as-root"},
		{sc("runAsUser: 0"), sc("runAsUser: 5, runAsGroup: 5"), NonRoot, ""},
		{sc("runAsUser: 5, runAsGroup: 5"), sc("runAsUser: 0"), Root, "pod-runs-as-root"},
		{sc("runAsUser: 0, runAsNonRoot: true"), "", Never, "pod-never-starts"},
		{sc("runAsUser: 5"), "", NonRoot, "pod-root-group"},
		{sc("runAsUser: 5, runAsGroup: 6"), "image: rooted", NonRoot, ""},
		{sc("runAsUser: 5, runAsGroup: 6"), sc("runAsGroup: 0"), NonRoot, "pod-root-group"},
		{sc("runAsUser: 5, runAsGroup: 0"), sc("runAsGroup: 6"), NonRoot, ""},
		{sc("runAsUser: 5, runAsGroup: 6, supplementalGroups: [7, 0]"), "", NonRoot, "pod-root-group"},
		{sc("runAsUser: 5, runAsGroup: 6, fsGroup: 0"), "", NonRoot, "pod-root-group"},
		{sc("runAsNonRoot: true, runAsGroup: 0"), "image: unknown", NonRoot, "pod-root-group"},
		{sc("runAsGroup: 0"), "image: rooted", Root, "pod-runs-as-root"},
		{sc("runAsUser: \"0\""), "", Invalid, "unreadable"},
		{sc("runAsNonRoot: \"true\""), "", Invalid, "unreadable"},
		{sc("runAsUser: -1"), "", Invalid, "unreadable"},
		{sc("runAsUser: 2147483648"), "", Invalid, "unreadable"},
		{sc("runAsUser: 1.5"), "", Invalid, "unreadable"},
		{sc("runAsUser: 5, runAsUser: 0"), "", Invalid, "unreadable"},
		{"hostUsers: false", "image: rooted", Root, "pod-root-in-namespace"},
		{"hostUsers: true", "image: rooted", Root, "pod-runs-as-root"},
		{"runtimeClassName: ours", "image: rooted", Root, ""},
		{"", "livenessProbe: {exec: {command: [gosu, app, x]}}", NonRoot, "health-check"},
		{"", "readinessProbe:\n  exec:\n    command:\n    - sh\n    - -c\n    - sudo -n true", NonRoot, "health-check"},
		{"", "startupProbe: {exec: {command: [sh, -c, 'test -e /ready']}}", NonRoot, ""},
		{"", "livenessProbe: {httpGet: {port: 80}}", NonRoot, ""},
		{"", "livenessProbe: {exec: [x]}", Invalid, "unreadable"},
		{"hostNetwork: true", "ports: [{containerPort: 80}]", NonRoot, "closed-port"},
		{"hostNetwork: true", "ports: [{containerPort: 8080}]", NonRoot, ""},
		{"hostNetwork: true", "image: rooted\nports: [{containerPort: 80}]", Root, "pod-runs-as-root"},
		{"hostNetwork: true\nruntimeClassName: ours", "image: rooted\nports: [{containerPort: 80}]", Root, "closed-port"},
		{"hostNetwork: false", "ports: [{containerPort: 80, hostPort: 80}]", NonRoot, ""}, // any port is open in a network of its own
		{"runtimeClassName: ours", "image: unknown", NonRoot, ""},
		{"runtimeClassName: other", "image: rooted", Root, "pod-runs-as-root"},
		{"os: {name: windows}", "image: unknown", Windows, ""},
		{"", "command: [sh, -c, \"apk add curl && curl x\"]", NonRoot, "packages-at-start"},
		{"", "command: [gosu, app, x]", NonRoot, "steps-down"},
		{"volumes: [{name: s, secret: {defaultMode: 0400}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, "closed-volume"},
		{"volumes: [{name: s, secret: {defaultMode: 256}}]", "volumeMounts: [{name: other, mountPath: /s}]", NonRoot, ""},
		{"volumes: [{name: s, secret: {defaultMode: 0440}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, ""}, // the image's group may be root
		{sc("runAsUser: 5, runAsGroup: 5") + "\nvolumes: [{name: s, secret: {defaultMode: 0440}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, "closed-volume"},
		{sc("fsGroup: 5") + "\nvolumes: [{name: s, secret: {defaultMode: 0400}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, ""},
		{"volumes: [{name: s, secret: {items: [{key: a, path: b, mode: 0400}]}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, "closed-volume"},
		{"volumes: [{name: s, projected: {defaultMode: 0400, sources: [{secret: {name: x}}]}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, "closed-volume"},
		{"volumes: [{name: s, projected: {defaultMode: 0400, sources: [{serviceAccountToken: {path: x}}]}}]", "volumeMounts: [{name: s, mountPath: /s}]", NonRoot, ""},
	} {
		text := pod(test.spec, test.container)
		if strings.HasPrefix(test.container, "image: ") {
			text = strings.Replace(text, "    image: known\n", "", 1)
		}
		all := Manifests("pod.yaml", []byte(text), o)
		if len(all) != 1 || all[0].Verdict != test.verdict || strings.Join(idsOf(all[0]), " ") != test.ids {
			t.Errorf("%s: %+v, want %s, %s", text, all, test.verdict, test.ids)
			continue
		}
		for _, f := range all[0].Findings {
			if f.Line == 0 {
				t.Errorf("%s: no line: %+v", text, f)
			}
		}
	}
}

// TestPatches: a patch that makes a container run as root is reported, even without an image. A patch that sets no user is not.
func TestPatches(t *testing.T) {
	for spec, want := range map[string]Verdict{
		"containers: [{name: c, securityContext: {runAsUser: 0}}]":                Root,
		"securityContext: {runAsUser: 0}\n      containers: [{name: c}]":          Root,
		"initContainers: [{name: c, securityContext: {runAsUser: 0}}]":            Root,
		"containers: [{name: c, securityContext: {runAsUser: 5, runAsGroup: 5}}]": NonRoot,
		"containers: [{name: c, securityContext: {privileged: false}}]":           Nothing,
		"containers: [{name: c, resources: {}}]":                                  Nothing,
	} {
		all := Manifests("patch.yaml", []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      "+spec+"\n"), Options{})
		if len(all) != 1 || all[0].Verdict != want {
			t.Errorf("%s: %+v", spec, all)
		}
	}
}

// TestManifestIgnore: a comment in a manifest applies to its own line, or to the next one.
func TestManifestIgnore(t *testing.T) {
	two := pod("", "") + "  - name: d # nonroot-ctl: ignore pod-runs-as-root not this line\n    image: rooted # nonroot-ctl: ignore pod-runs-as-root it makes networks\n"
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"rooted": "", "known": ""})}}
	all := Manifests("pod.yaml", []byte(two), o)
	if len(all) != 2 || strings.Join(idsOf(all[0]), " ") != "pod-runs-as-root ignore-unused" || len(all[1].Findings) != 0 || len(all[1].Ignored) != 1 {
		t.Errorf("%+v", all)
	}
	f := all[0].Findings[0]
	if f.Line != 7 || f.Source[f.Column-1:f.Column-1+f.Length] != "known" {
		t.Errorf("%+v", f)
	}
}

// TestCompose checks the users that services run as, and the findings. After a name come its ids.
func TestCompose(t *testing.T) {
	given := map[string]string{"known": "1001:1001", "rooted": "", "named": "app"}
	o := Options{Build: dockerfile.Options{Base: Bases(given)}}
	files := map[string]string{"app/Dockerfile": "FROM debian\nARG U\nUSER ${U}\n", "app/Other": "FROM rooted AS a\nUSER 5:5\nFROM rooted\n", "app/Broken": "FRM x\n"}
	c := ComposeOptions{Dir: "testdata", Environment: map[string]string{"UID_OF_APP": "7:7"}, Dockerfile: func(b *compose.Build) ([]byte, error) {
		rel, err := filepath.Rel("testdata", filepath.Join("testdata", filepath.Base(b.Context), b.Dockerfile))
		if text, ok := files[rel]; ok {
			return []byte(text), err
		}
		return nil, os.ErrNotExist
	}}
	owners := map[string]FileOwner{"closed": {0, 0, 0o400}, "opened": {0, 0, 0o444}, "own": {1001, 0, 0o400}, "group": {0, 1001, 0o440}}
	c.File = func(name string) (FileOwner, bool) { f, ok := owners[filepath.Base(name)]; return f, ok }
	o.Policy, o.World = policy.Default(), trial.World{Groups: &policy.HostGroups{}}
	for text, want := range map[string]string{
		"a: {image: known}":                                                         "a: non-root",
		"a: {image: rooted}":                                                        "a: root service-runs-as-root",
		"a: {image: named}":                                                         "a: non-root",
		"a: {image: unknown}":                                                       "a: unknown service-user-unknown",
		"a: {image: unknown, user: '${UID_OF_APP}'}":                                "a: non-root",
		"a: {image: unknown, user: '${NOTHING:-0}'}":                                "a: root service-runs-as-root",
		"a: {image: unknown, user: '0'}":                                            "a: root service-runs-as-root",
		"a: {image: rooted, user: '5'}":                                             "a: non-root",
		"a: {image: rooted, user: ''}":                                              "a: root service-runs-as-root",
		"a: {image: known, user: '5 5'}":                                            "a: never starts service-never-starts",
		"a: {build: app}":                                                           "a: root service-runs-as-root",
		"a: {build: {context: app, args: {U: '9:9'}}}":                              "a: non-root",
		"a: {build: {context: app, dockerfile: Other}}":                             "a: root service-runs-as-root",
		"a: {build: {context: app, dockerfile: Other, target: a}}":                  "a: non-root",
		"a: {build: {context: app, dockerfile: Broken}}":                            "a: unknown service-user-unknown",
		"a: {build: {context: app, dockerfile: None}}":                              "a: unknown service-user-unknown",
		"a: {build: {context: app, dockerfile_inline: \"FROM rooted\\nUSER 5:5\"}}": "a: non-root",
		"a: {image: known}\n  b: {image: rooted, profiles: [x]}":                    "a: non-root; b: root service-runs-as-root",
		"a: {image: rooted}\n  b: {extends: a, user: '5:5'}":                        "a: root service-runs-as-root; b: non-root",
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: rooted, user: '1001', volumes: ['data:/e']}":                                   "a: non-root; b: non-root",
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: rooted, volumes: ['data:/e']}":                                                 "a: non-root; b: root service-runs-as-root shared-volume",
		"a: {image: known, volumes: ['data:/d:ro']}\n  b: {image: rooted, volumes: ['data:/e:ro']}":                                           "a: non-root; b: root service-runs-as-root",
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: unknown, volumes: ['data:/e']}":                                                "a: non-root; b: unknown service-user-unknown",
		"a: {image: rooted, volumes: ['data:/d']}\n  b: {image: rooted, volumes: ['data:/e']}":                                                "a: root service-runs-as-root; b: root service-runs-as-root",
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: rooted, command: [chown, '-R', '1001', /d], volumes: ['data:/d']}":             "a: non-root; b: root service-runs-as-root",
		"a: {image: known, command: [chown, app, /etc/x]}":                                                                                    "a: non-root needs-root-to-start",
		"a: {image: rooted, command: [chown, app, /etc/x]}":                                                                                   "a: root service-runs-as-root", // chown succeeds, and does nothing
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: rooted, command: [chown, app, /d], volumes: ['data:/d']}":                      "a: non-root; b: root service-runs-as-root shared-volume",
		"a: {image: known, healthcheck: {test: sudo -n true}}":                                                                                "a: non-root health-check",
		"a: {image: known, healthcheck: {test: [CMD, gosu, app, x]}}":                                                                         "a: non-root health-check",
		"a: {image: known, healthcheck: {test: [CMD, curl, 'http://localhost:80']}}":                                                          "a: non-root",
		"a: {image: known, healthcheck: {test: [NONE]}}":                                                                                      "a: non-root",
		"a: {image: known, healthcheck: {disable: true}}":                                                                                     "a: non-root",
		"a: {image: known, network_mode: host, expose: ['80']}":                                                                               "a: non-root closed-port",
		"a: {image: known, network_mode: host, expose: ['8080']}":                                                                             "a: non-root",
		"a: {image: known, expose: ['80'], ports: ['80:80']}":                                                                                 "a: non-root",
		"a: {image: rooted, network_mode: host, expose: ['80']}":                                                                              "a: root service-runs-as-root",
		"a: {build: {context: app, dockerfile_inline: \"FROM known\\nEXPOSE 443/tcp 8080\"}, network_mode: host}":                             "a: non-root closed-port",
		"a: {image: known, secrets: [closed]}":                                                                                                "a: non-root closed-service-secret",
		"a: {image: rooted, secrets: [closed]}":                                                                                               "a: root service-runs-as-root closed-service-secret",
		"a: {image: known, secrets: [opened]}":                                                                                                "a: non-root",
		"a: {image: known, secrets: [own]}":                                                                                                   "a: non-root",
		"a: {image: known, secrets: [group]}":                                                                                                 "a: non-root",
		"a: {image: known, user: '1001:5', secrets: [group]}":                                                                                 "a: non-root closed-service-secret",
		"a: {image: rooted, secrets: [own]}":                                                                                                  "a: root service-runs-as-root", // its user under nonroot-runc is not known
		"a: {image: known, secrets: [none]}":                                                                                                  "a: non-root",
		"a: {image: known, pre_start: [{command: x, user: root}]}":                                                                            "a: non-root; a, pre_start 1: root service-runs-as-root",
		"a: {image: rooted, user: '5', pre_start: [{command: x}]}":                                                                            "a: non-root; a, pre_start 1: non-root",
		"a: {image: known, pre_start: [{image: rooted}]}":                                                                                     "a: non-root; a, pre_start 1: root service-runs-as-root",
		"a: {build: app, pre_start: [{command: x}, {command: y, user: '5'}]}":                                                                 "a: root service-runs-as-root; a, pre_start 1: root service-runs-as-root; a, pre_start 2: non-root",
		"a: {image: known, volumes: ['data:/d'], pre_start: [{command: x, user: '5'}]}":                                                       "a: non-root; a, pre_start 1: non-root shared-volume",
		"a: {image: known, volumes: ['data:/d'], pre_start: [{command: [chown, '-R', '1001', /d], user: root}]}":                              "a: non-root; a, pre_start 1: root service-runs-as-root",
		"a: {image: known, volumes: ['data:/d']}\n  b: {image: known, user: '5', volumes_from: [a]}":                                          "a: non-root; b: non-root shared-volume",
		"a: {image: known, volumes: ['data:/d:ro']}\n  b: {image: known, user: '5', volumes_from: ['a:ro']}":                                  "a: non-root; b: non-root",
		"a: {image: known}\njobs:\n  j: {image: rooted, triggers: {manual: true}}\n  k: {image: rooted, user: '5', triggers: {manual: true}}": "job j: root service-runs-as-root; job k: non-root; a: non-root",
		"a: {ports: ['80:80']}": "a: nothing",
		"a: {build: {context: ., dockerfile_inline: \"FROM known\", additional_contexts: {known: 'docker-image://rooted'}}}": "a: root service-runs-as-root",
		"a: {build: {context: ., dockerfile_inline: \"FROM known\", additional_contexts: {known: ./x}}}":                     "a: unknown service-user-unknown",
		"a: {provider: {type: x}}":                         "a: nothing",
		"a: {user: '0'}":                                   "a: root service-runs-as-root",
		"a: {post_start: [{command: x, user: root}]}":      "a: nothing hook-runs-as-root",
		"a: {image: known, command: sh -c 'apk add curl'}": "a: non-root packages-at-start",
	} {
		all := Compose("compose.yaml", []byte("services:\n  "+text+"\nvolumes: {data: {}}\nsecrets: {closed: {file: closed}, opened: {file: opened}, own: {file: own}, group: {file: group}, none: {file: none}}\n"), o, c)
		var got []string
		for _, r := range all {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(r.Object, "service ")+": "+string(r.Verdict)+" "+strings.Join(idsOf(r), " ")))
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s: %s, want %s: %+v", text, s, want, all)
		}
	}
	for _, text := range []string{"", "x: y", "services: {}", "services: [", "services:\n  a: {usr: x}\n", "services:\n  a: {image: x, user: '${U:?no}'}\n", "services:\n  a: {extends: {file: none.yaml, service: x}}\n"} {
		if all := Compose("compose.yaml", []byte(text), o, c); len(all) != 1 || all[0].Verdict != Invalid {
			t.Errorf("%q: %+v", text, all)
		}
	}
}

// TestPatch: a Kustomization's patch is no workload. What in it asks for root, or takes away what rules root out, is a finding.
func TestPatch(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
	for text, want := range map[string]string{
		head + "spec: {template: {spec: {containers: [{name: c, image: i}]}}}\n":                                                                             "nothing",
		head + "spec: {replicas: 3}\n":                                                                                                                       "nothing",
		head + "spec: {template: {spec: {securityContext: {runAsNonRoot: true, runAsUser: 5}}}}\n":                                                           "nothing",
		head + "spec:\n  template:\n    spec:\n      securityContext:\n        runAsUser: 0\n":                                                               "root pod-runs-as-root:8",
		head + "spec: {template: {spec: {containers: [{name: c, securityContext: {runAsUser: 0x0}}]}}}\n":                                                    "root pod-runs-as-root:4",
		head + "spec: {template: {spec: {securityContext: null}}}\n":                                                                                         "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {securityContext: {runAsNonRoot: null}}}}\n":                                                                         "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {securityContext: {runAsUser: null}}}}\n":                                                                            "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {$patch: replace, containers: []}}}\n":                                                                               "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {containers: [{name: c, $patch: delete}]}}}\n":                                                                       "nothing",
		head + "spec: {template: {spec: {containers: [{name: c, env: [{$patch: replace}]}]}}}\n":                                                             "nothing",
		head + "spec: {template: {spec: {securityContext: {runAsUser: 5}}}}\n---\n" + head + "spec: {template: {spec: {securityContext: {runAsUser: 0}}}}\n": "root pod-runs-as-root:9",
		head + "# nonroot-ctl: ignore pod-runs-as-root a debugger\nspec: {template: {spec: {securityContext: {runAsUser: 0}}}}\n":                            "root",
		"- {op: replace, path: /spec/template/spec/securityContext/runAsUser, value: 0}\n":                                                                   "root pod-runs-as-root:1",
		"- op: add\n  path: /spec/template/spec/containers/0/securityContext\n  value: {runAsUser: 0}\n":                                                     "root pod-runs-as-root:3",
		`[{"op": "remove", "path": "/spec/template/spec/securityContext/runAsNonRoot"}]`:                                                                     "unknown pod-user-unknown:1",
		"- {op: replace, path: /spec/template/spec/containers/0, value: {name: c, image: i}}":                                                                "unknown pod-user-unknown:1",
		"- {op: replace, path: /spec/replicas, value: 0}\n- {op: test, path: /spec/template/spec/securityContext/runAsUser, value: 0}\n":                     "nothing",
		"- {op: add, path: /spec/template/spec/securityContext/runAsNonRoot, value: true}\n":                                                                 "nothing",
		// What replaces a securityContext, or something with one.
		"- {op: replace, path: /spec/template/spec/securityContext, value: {fsGroup: 5}}":                 "unknown pod-user-unknown:1",
		"- {op: replace, path: /spec/template/spec/securityContext, value: {runAsUser: 5}}":               "nothing",
		"- {op: add, path: /spec/template/spec/containers/0/securityContext, value: {privileged: false}}": "nothing",
		"- {op: replace, path: /spec/template/spec/initContainers/0, value: {name: c, image: i}}":         "unknown pod-user-unknown:1",
		"- {op: add, path: /spec/template/spec/containers, value: [{name: c, image: i}]}":                 "unknown pod-user-unknown:1",
		"- {op: add, path: /spec/template/spec/containers/-, value: {name: c, image: i}}":                 "nothing",
		"- {op: add, path: /spec/template/spec, value: {containers: [{name: c, image: i}]}}":              "unknown pod-user-unknown:1",
		"- {op: add, path: '', value: {kind: Pod, spec: {containers: [{name: c, image: i}]}}}":            "unknown pod-user-unknown:1",
		"- {op: test, path: /x, value: &a {containers: []}}\n- {op: replace, path: /spec, value: *a}":     "unknown pod-user-unknown:2",
		"- {op: move, from: /spec/template/spec/securityContext, path: /metadata/annotations/x}":          "unknown pod-user-unknown:1",
		"- {op: remove, path: /spec/template/spec/containers/1}":                                          "nothing",
		"- {op: test, path: /spec/template/spec/securityContext, value: {runAsUser: 0}}":                  "nothing",
		"- {op: replace, path: /spec, value: {acme: {email: a}}}":                                         "nothing",
		head + "spec: {template: {spec: {securityContext: {$patch: delete}}}}\n":                          "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {securityContext: {$patch: replace, fsGroup: 5}}}}\n":             "unknown pod-user-unknown:4",
		head + "spec: {template: {spec: {securityContext: {$retainKeys: [fsGroup], fsGroup: 5}}}}\n":      "unknown pod-user-unknown:4",
		head + "spec: {strategy: {$retainKeys: [type], type: Recreate}}\n":                                "nothing",
		head + "spec: {template: {spec: {containers: [{$patch: replace}, {name: c, image: i}]}}}\n":       "unknown pod-user-unknown:4",
		"kind: ClusterRole\nrules: [{$patch: replace}, {verbs: [get]}]\n":                                 "nothing",
		"- [":             "invalid unreadable:1",
		"x: &a {y: *a}\n": "nothing",
	} {
		r := Patch("patch.yaml", []byte(text))
		got := string(r.Verdict)
		for _, f := range r.Findings {
			got += fmt.Sprintf(" %s:%d", f.ID, f.Line)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	kustomization := "resources: [a.yaml]\npatches:\n- path: own.yaml\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/template/spec/securityContext/runAsUser\n      value: 0\n- patch: '{\"spec\": {\"template\": {\"spec\": {\"securityContext\": null}}}}'\n"
	r := Patch("over/kustomization.yaml", []byte(kustomization))
	// An alias stands for what it is an alias of, once.
	if all := manifest.Patches([]byte("x: &a |-\n  securityContext: null\ny: &b {patch: *a}\npatches: [*b, {patch: *a}, *a]\n")); len(all) != 1 || all[0].Line != 1 {
		t.Errorf("%+v", all)
	}
	if len(r.Findings) != 2 || r.Findings[0].Line != 7 || r.Findings[1].Line != 9 || r.Verdict != Root || r.Findings[0].Column == 0 {
		t.Errorf("%+v", r)
	}
}

// TestPatchOfFlux: a patch in an object of Flux's or Argo CD's is looked at like one of a Kustomization's.
func TestPatchOfFlux(t *testing.T) {
	const flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec:\n  path: ./a\n  patches:\n"
	const argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source:\n    kustomize:\n      patches:\n"
	for text, want := range map[string]string{
		flux + "  - patch: |\n      - op: replace\n        path: /spec/template/spec/securityContext/runAsUser\n        value: 0\n": "root pod-runs-as-root:9",
		flux + "  - patch: |\n      spec: {template: {spec: {securityContext: {runAsNonRoot: true}}}}\n":                            "nothing",
		argo + "      - patch: '{spec: {template: {spec: {securityContext: null}}}}'\n":                                             "unknown pod-user-unknown:8",
		flux + "  - patch: |\n      spec: [\n":                                      "invalid unreadable:8",
		flux + "  - {path: x}\n  - 5\n":                                             "nothing",
		"apiVersion: x/v1\nkind: X\nspec: {patches: [{patch: '{runAsUser: 0}'}]}\n": "nothing",
	} {
		all := Manifests("a.yaml", []byte(text), Options{})
		got := string(all[0].Verdict)
		for _, f := range all[0].Findings {
			got += fmt.Sprintf(" %s:%d", f.ID, f.Line)
		}
		if len(all) != 1 || got != want {
			t.Errorf("%s: %s, want %s: %+v", text, got, want, all)
		}
	}
}

// TestPodSpecPatch: whom a patch makes of an Argo workflow's container counts.
func TestPodSpecPatch(t *testing.T) {
	for patch, want := range map[string]Verdict{
		`{"securityContext": {"runAsUser": 0}}`: Root, `{"containers": [{"name": "main", "resources": {"limits": {"memory": "{{m}}"}}}]}`: NonRoot,
		`{"securityContext": {"runAsUser": {{u}}}}`: Unknown, `{{p}}`: Unknown,
	} {
		text := "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  podSpecPatch: '" + patch + "'\n  templates: [{name: a, container: {image: i}, securityContext: {runAsUser: 5, runAsGroup: 5}}]\n"
		all := Manifests("w.yaml", []byte(text), Options{})
		if len(all) != 1 || all[0].Verdict != want || (want != NonRoot) != (len(idsOf(all[0])) == 1) {
			t.Errorf("%s: %+v, want %s", patch, all, want)
		}
	}
}

// TestOverride: findings about a merged project are in the file that they are about, and comments of each file count there.
func TestOverride(t *testing.T) {
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"known": "5", "rooted": ""})}}
	const base = "services:\n  a:\n    image: known\n  b:\n    image: rooted\n"
	for text, want := range map[string]string{
		"":                                  "service b: service-runs-as-root compose.yaml:5",
		"services:\n  a:\n    user: root\n": "service a: service-runs-as-root over.yaml:3; service b: service-runs-as-root compose.yaml:5",
		"services:\n  b:\n    user: '5'\n":  "",
		"services:\n  b: {user: '5'}\n  c:\n    user: root\n    image: x\n":                                              "service c: service-runs-as-root over.yaml:4",
		"services:\n  b: {user: '5'}\n  a:\n    # nonroot-ctl: ignore service-runs-as-root a debugger\n    user: root\n": "",
		"services:\n  b: {user: '5'}\n  a: {group_add: [0]}\n":                                                           "service a: service-root-group over.yaml:3",
		"services:\n  b: {user: '5'}\n  a: {healthcheck: {test: sudo x}}\n":                                              "service a: health-check over.yaml:3",
		"services:\n  # nonroot-ctl: ignore service-runs-as-root no\n\n\n  c: {user: '5', image: x}\n  b: {user: '5'}\n": "service a: ignore-unused over.yaml:2",
		"services:\n  a: {usr: 5}\n": ": unreadable over.yaml:0",
		"services:\n  a: [\n":        ": unreadable over.yaml:2",
	} {
		c := ComposeOptions{Dir: t.TempDir()}
		if text != "" {
			c.Overrides = []ComposeFile{{"over.yaml", []byte(text)}}
		}
		var got []string
		for _, r := range Compose("compose.yaml", []byte(base), o, c) {
			for _, f := range r.Findings {
				if f.Severity.AtLeast(Warning) || f.ID == ignoreUnused.ID {
					got = append(got, fmt.Sprintf("%s: %s %s:%d", r.Object, f.ID, f.File, f.Line))
				}
			}
		}
		if said := strings.Join(got, "; "); said != want {
			t.Errorf("%q: %s, want %s", text, said, want)
		}
	}
}

// TestLongLines: a finding does not show a line that is too long to read.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 4000)
	for _, all := range [][]Result{
		Compose("compose.yaml", []byte("services: {a: {image: "+long+", user: '0'}}\n"), Options{}, ComposeOptions{Dir: t.TempDir()}),
		Manifests("pod.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: "+long+"\n"), Options{}),
	} {
		for _, r := range all {
			for _, f := range r.Findings {
				if f.Line == 0 || f.Source != "" || f.Column != 0 {
					t.Errorf("%+v", f)
				}
			}
			if len(r.Findings) == 0 {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestShare: services that ask for root and share a volume are one user if the policy has one identity, or one id for a project.
func TestShare(t *testing.T) {
	const text = "services:\n  a: {image: rooted, volumes: ['data:/d']}\n  b: {image: rooted, volumes: ['data:/e']}\nvolumes: {data: {}}\n"
	for settings, want := range map[string]bool{
		"": false, "[identity]\nrange = \"100000-165535\"\n": false,
		"[identity]\nrange = \"100000-165535\"\nshare = \"container\"\n": true, "[identity]\nrange = \"100000-165535\"\nshare = \"namespace\"\n": true,
		"[identity]\nshare = \"container\"\n": false,
	} {
		p, err := policy.Parse("p", []byte(settings))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"rooted": ""})}, Policy: p, World: trial.World{Groups: &policy.HostGroups{}}}
		all := Compose("compose.yaml", []byte(text), o, ComposeOptions{Dir: "testdata"})
		if len(all) != 2 || slices.Contains(idsOf(all[1]), sharedVolume.ID) != want {
			t.Errorf("%q: %+v, want %t", settings, all, want)
		}
	}
}

// TestBases checks what is known about images by repository and tag. Nothing is claimed about tags that were not looked at.
func TestBases(t *testing.T) {
	known, err := table()
	if err != nil || len(known) < 140 {
		t.Fatal(len(known), err)
	}
	for name, want := range map[string]string{
		"node": "root", "node:22-alpine": "root", "docker.io/library/node:20": "root", "node:4-onbuild": "unknown", "someone/node": "unknown", "python:3.12-slim": "root",
		"python:3-windowsservercore": "unknown", "golang:1": "root", "memcached:1-alpine": "memcache", "haproxy:2.2-alpine": "root", "haproxy:2.8": "haproxy", "haproxy": "haproxy", "haproxy:1.8": "unknown",
		"nginxinc/nginx-unprivileged:stable-alpine": "101", "nginxinc/nginx-unprivileged": "101", "gcr.io/distroless/static-debian12:nonroot": "65532", "gcr.io/distroless/base": "0", "gcr.io/distroless/x/y": "unknown",
		"postgres": "root", "mcr.microsoft.com/dotnet/runtime-deps:9.0-noble-chiseled": "1654", "mcr.microsoft.com/dotnet/aspnet:8.0": "root", "mcr.microsoft.com/dotnet/aspnet:8.0-jammy-chiseled": "unknown", "mcr.microsoft.com/dotnet/sdk:5.0": "unknown",
		"jupyter/scipy-notebook": "1000", "quay.io/keycloak/keycloak:26.0": "1000", "wordpress:cli-php8.2": "www-data", "wordpress:6-apache": "root", "mysql:8.0": "root", "redis:7-alpine": "root", "openjdk:11-jre-slim": "root", "maven:3.8-openjdk-11": "root", "openjdk:11-windowsservercore": "unknown",
		"bitnami/postgresql:16": "1001", "bitnami/redis": "unknown", "docker.elastic.co/elasticsearch/elasticsearch:8.15.0": "elasticsearch:root",
		// Earlier versions were not looked at, or differ.
		"elasticsearch:7.17.5": "root", "docker.elastic.co/elasticsearch/elasticsearch:7.9.0": "root", "elasticsearch:8.3.3": "elasticsearch:root", "dexidp/dex:v2.10.0": "unknown", "dexidp/dex:v2.4.1": "unknown", "dexidp/dex:v2.45.0": "dex:dex",
		"n8nio/n8n:0.150.0": "unknown", "n8nio/n8n": "node", "confluentinc/cp-base-new:5.5.0": "unknown", "confluentinc/cp-base-new:7.5.0": "appuser", "kong:1.0-alpine": "unknown", "kong:2.8-alpine": "kong", "bitnami/postgresql:9.6.1-r0": "unknown", "jetty:9.2": "unknown", "jetty:9.4-jdk17": "jetty", "sonarqube:lts-community": "sonarqube",
		"node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef":        "root",
		"haproxy@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef":     "unknown",
		"haproxy:2.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": "root",
		"example.org/own:1": "5", "debian": "root", "jenkins/jenkins:lts": "jenkins",
		"public.ecr.aws/docker/library/golang:1.25": "root", "mirror.gcr.io/library/memcached": "memcache", "mirror.gcr.io/nginxinc/nginx-unprivileged": "101", "arm64v8/debian:12": "root", "arm32v7/haproxy:3.0": "haproxy", "winamd64/golang:1": "unknown",
		"public.ecr.aws/else/library/golang": "unknown", "mirror.example.org/library/golang": "unknown", "public.ecr.aws/docker/library/nothing": "unknown", "amd64/nothing": "unknown", "docker.io/library/alpine@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": "root",
		"registry.access.redhat.com/ubi9/ubi:9.4": "root", "registry.access.redhat.com/ubi9:latest": "root", "registry.access.redhat.com/ubi9/ubi-minimal": "root", "registry.access.redhat.com/ubi7/ubi-minimal": "unknown", "registry.access.redhat.com/ubi9/python-312": "1001",
		"quay.io/prometheus/node-exporter:v1.8.0": "nobody", "prom/node-exporter": "nobody", "cgr.dev/chainguard/static": "65532", "cgr.dev/chainguard/wolfi-base": "root", "cgr.dev/chainguard/nothing": "unknown", "nvidia/cuda:12.4.1-devel-ubuntu22.04": "root",
		"grafana/grafana:7.5.1": "472", "grafana/grafana:5.0.1": "unknown", "hashicorp/vault:1.15": "root", "hashicorp/vault:1.15-ubi": "unknown", "gcr.io/distroless/static-debian12:nonroot-amd64": "65532", "mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled": "unknown", "envoyproxy/envoy:distroless-v1.31.0": "65532",
	} {
		own, err := ParseBases("own.toml", []byte("[[base]]\nimage = \"example.org/*\"\ntags = [\"1\"]\nuser = \"5\"\ndate = \"2026-01-01\"\nsource = \"us\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := "unknown"
		if base, ok := Bases(nil, own...)(name); ok {
			got = base.User
			if got == "" {
				got = "root"
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	r := checked("FROM mcr.microsoft.com/dotnet/runtime-deps:8.0-alpine\nUSER $APP_UID\n", nil)
	if r.Verdict != NonRoot || r.User != "1654" {
		t.Errorf("%+v", r)
	}
	if r := checked("FROM mcr.microsoft.com/dotnet/aspnet:8.0\nUSER $APP_UID\n", nil); r.User != "1654" {
		t.Errorf("%+v", r)
	}
	const entry = "[[base]]\nimage = \"a/b\"\ntags = [\"*\"]\nuser = \"5\"\ndate = \"2026-01-01\"\nsource = \"us\"\n"
	for _, change := range [][2]string{{"a/b", "b"}, {"a/b", "a/["}, {"tags", "also = [\"b\"]\ntags"}, {"[\"*\"]", "[]"}, {"\"*\"", "\"[\""}, {"user = \"5\"", ""}, {"2026-01-01", "lately"}, {"\"us\"", "\"\""}, {"user", "usr"}, {"source", "env = [\"X\"]\nsource"}, {"source", "os = \"plan9\"\nsource"}} {
		if _, err := ParseBases("own.toml", []byte(strings.Replace(entry, change[0], change[1], 1))); err == nil {
			t.Errorf("%q is read as %q", change[0], change[1])
		}
	}
}

// TestFix: certain mistakes are fixed, and everything else keeps its bytes.
func TestFix(t *testing.T) {
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"known": "5:5", "rooted": ""})}}
	const debian, alpine, number = "RUN groupadd --gid 10001 app && useradd --system --uid 10001 --gid 10001 --no-create-home app\nUSER 10001:10001\n", "RUN addgroup -S -g 10001 app && adduser -S -D -H -u 10001 -G app app\nUSER 10001:10001\n", "USER 10001:10001\n"
	for text, want := range map[string]string{
		"FROM debian\r\n\tRUN  x \\\r\n  y\r\nCMD [\"a\"]":                                                          "FROM debian\r\n\tRUN  x \\\r\n  y\r\nCMD [\"a\"]\r\n" + strings.ReplaceAll(debian, "\n", "\r\n"),
		"FROM debian\r\nCMD [\"a\"]\n":                                                                              "FROM debian\r\nCMD [\"a\"]\n" + debian,
		"FROM alpine:3\nCMD [\"a\"]\n":                                                                              "FROM alpine:3\nCMD [\"a\"]\n" + alpine,
		"FROM scratch\nCOPY a /\nCMD [\"/a\"]\n":                                                                    "FROM scratch\nCOPY a /\nCMD [\"/a\"]\n" + number,
		"FROM debian AS a\nUSER 5:5\nFROM debian\nUSER 0\n":                                                         "FROM debian AS a\nUSER 5:5\nFROM debian\nUSER 0\n" + debian,
		"FROM debian\nCOPY --chmod=0700 a /a\nCMD [\"/a\"]\n":                                                       "FROM debian\nCOPY --chmod=0755 a /a\nCMD [\"/a\"]\n" + debian,
		"FROM rooted\nCMD [\"a\"]\n":                                                                                "",
		"FROM debian\nCMD a \\\n":                                                                                   "",
		"FROM debian\nCMD a \\":                                                                                     "",
		"FROM debian\nRUN a \\\n\n# b\n":                                                                            "",
		"# escape=`\nFROM debian\nRUN a `\n":                                                                        "",
		"FROM scratch\nCOPY a /\nCMD [\"/a\"] \\\n":                                                                 "",
		"FROM debian\nRUN groupadd -g 10001 app\n":                                                                  "",
		"FROM debian\nRUN echo a:x:10001: >>/etc/group\n":                                                           "",
		"FROM scratch\nCOPY --from=debian /etc/passwd /etc/passwd\nCOPY a /\n":                                      "FROM scratch\nCOPY --from=debian /etc/passwd /etc/passwd\nCOPY a /\n" + number,
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app && adduser app docker\nUSER app\n":             "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app && sed -i s/6/8/ /etc/passwd\nUSER app\n":      "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app && echo disk:x:6:app >>/etc/group\nUSER app\n": "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app\nCOPY group /etc/group\nUSER app\n":            "",
		"FROM debian\nRUN useradd app\n":                                                                            "",
		"FROM debian\nENTRYPOINT [\"gosu\", \"app\"]\n":                                                             "",
		"FROM debian\nVOLUME /data\n":                                                                               "",
		"FROM debian\nSHELL [\"/bin/x\"]\nCMD a\n":                                                                  "",
		"FROM debian\nCOPY <<EOF /x\na\nEOF":                                                                        "",
		"# nonroot-ctl: ignore runs-as-root a demo\nFROM debian\nRUN x\n# nonroot-ctl: ignore runs-as-root a demo\nUSER 0\n": "",
		"FROM nobody/knows\nCMD [\"a\"]\n": "",
		"FROM known\nCMD [\"a\"]\n":        "",
		"FRM debian\n":                     "",
		"FROM known\nCOPY --chmod=0700 a /opt/a\nCMD [\"/opt/a\"]\n":                                               "FROM known\nCOPY --chmod=0755 a /opt/a\nCMD [\"/opt/a\"]\n",
		"FROM known\nRUN --mount=type=secret,id=a x\n":                                                             "FROM known\nRUN --mount=type=secret,uid=5,id=a x\n",
		"FROM known\nUSER 7:8\nRUN x && \\\n  y\nRUN --mount=type=cache,target=/c \\\n  x\n":                       "FROM known\nUSER 7:8\nRUN x && \\\n  y\nRUN --mount=type=cache,uid=7,gid=8,target=/c \\\n  x\n",
		"FROM known\nUSER app\nRUN --mount=type=secret,id=a x\n":                                                   "",
		"FROM debian\ncopy settings  /a/\nUSER 5001:5001\nCMD echo >/a/x\n":                                        "FROM debian\ncopy --chown=5001:5001 settings  /a/\nUSER 5001:5001\nCMD echo >/a/x\n",
		"FROM debian\nCOPY settings /a/\nUSER app:app\nCMD echo >/a/x\n":                                           "",
		"FROM debian\nWORKDIR /a\nUSER 5001:5001\nCMD echo >/a/x\n":                                                "",
		"FROM debian\nRUN groupadd --gid 7 app && useradd --uid=6 --gid 7 app\nUSER app\n":                         "FROM debian\nRUN groupadd --gid 7 app && useradd --uid=6 --gid 7 app\nUSER 6:7\n",
		"FROM debian\nRUN groupadd -g 7 web && useradd -u 6 -g web app\nUSER app\n":                                "FROM debian\nRUN groupadd -g 7 web && useradd -u 6 -g web app\nUSER 6:7\n",
		"FROM alpine\nRUN addgroup -S -g 7 app && adduser -S -D -u 6 -G app app\nUSER app\n":                       "FROM alpine\nRUN addgroup -S -g 7 app && adduser -S -D -u 6 -G app app\nUSER 6:7\n",
		"FROM alpine\nRUN addgroup -S -g 7 app && adduser -S -D -u 6 -G app app && addgroup app wheel\nUSER app\n": "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app\nCOPY a /a/\nUSER app\nCMD echo >/a/x\n":      "FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app\nCOPY --chown=6:7 a /a/\nUSER 6:7\nCMD echo >/a/x\n",
		"FROM debian\nCOPY a /a/\nCMD echo >/a/x\n":                                                                "FROM debian\nCOPY --chown=10001:10001 a /a/\nCMD echo >/a/x\n" + debian,
		"FROM debian\nWORKDIR /a\nCMD echo >x\n":                                                                   "",
		"FROM debian\nRUN groupadd -rg7 app && useradd -rMu6 -g7 app\nUSER app\n":                                  "FROM debian\nRUN groupadd -rg7 app && useradd -rMu6 -g7 app\nUSER 6:7\n",
		"FROM debian\nRUN groupadd --gi \"7\" app && useradd --ui='6' --gid=7 -c 'An app; of us' app\nUSER app\n":  "FROM debian\nRUN groupadd --gi \"7\" app && useradd --ui='6' --gid=7 -c 'An app; of us' app\nUSER 6:7\n",
		"FROM debian\nRUN groupadd -g 7 app && useradd app -u 6 -g 7\nUSER app\n":                                  "FROM debian\nRUN groupadd -g 7 app && useradd app -u 6 -g 7\nUSER 6:7\n",
		"FROM debian\nRUN ID=6; groupadd -g $ID app && useradd -u $ID -g $ID app\nUSER app\n":                      "FROM debian\nRUN ID=6; groupadd -g $ID app && useradd -u $ID -g $ID app\nUSER 6:6\n",
		"FROM debian\nRUN addgroup --gid 7 app && adduser --uid 6 --ingroup app --gecos '' app\nUSER app\n":        "FROM debian\nRUN addgroup --gid 7 app && adduser --uid 6 --ingroup app --gecos '' app\nUSER 6:7\n",
		"FROM alpine\nRUN addgroup -Sg7 app && adduser -SDHu6 -G app -g 9 app\nUSER app\n":                         "FROM alpine\nRUN addgroup -Sg7 app && adduser -SDHu6 -G app -g 9 app\nUSER 6:7\n",
		"FROM fedora\nRUN groupadd -g 7 app && adduser -u 6 -g 7 -G wheel app\nUSER app\n":                         "",
		"FROM fedora\nRUN groupadd -g 7 app && adduser -u 6 -g 7 app\nUSER app\n":                                  "FROM fedora\nRUN groupadd -g 7 app && adduser -u 6 -g 7 app\nUSER 6:7\n",
		"FROM debian\nARG ID=6\nRUN groupadd -g 7 app && useradd -u $ID -g 7 app\nUSER app\n":                      "", // a build may set another
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 -Gdisk app\nUSER app\n":                           "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 --groups=disk app\nUSER app\n":                    "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u $(cat /id) -g 7 app\nUSER app\n":                         "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app && usermod -u 8 app\nUSER app\n":              "",
		"FROM debian\nRUN groupadd -g 7 -U app disk && useradd -u 6 -g 7 app\nUSER app\n":                          "",
		"FROM debian\nRUN useradd -u 6 app\nUSER app\n":                                                            "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 -G disk app\nUSER app\n":                          "",
		"FROM debian\nRUN groupadd -g $G app && useradd -u $U -g app app\nUSER app\n":                              "",
		"FROM debian\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app || useradd -u 8 -g 7 app\nUSER app\n":         "",
		"FROM debian\nARG U=app\nRUN groupadd -g 7 app && useradd -u 6 -g 7 app\nUSER $U\n":                        "",
		"FROM known\nRUN --mount=type=secret,id=a --mount=type=secret,id=b x\n":                                    "",
	} {
		got, did := Fix([]byte(text), o)
		if want == "" {
			want = text
		}
		if string(got) != want || (len(did) > 0) != (want != text) {
			t.Errorf("%q: %q, %q, want %q", text, got, did, want)
		}
		if again, did := Fix(got, o); string(again) != string(got) || len(did) > 0 {
			t.Errorf("%q: once more it is %q", text, again)
		}
	}
}

// TestFixIsBounded: in a long file only as many findings are fixed as the limit on checked bytes allows.
func TestFixIsBounded(t *testing.T) {
	text := "FROM known\n" + strings.Repeat("# "+strings.Repeat("x", 1000)+"\n", 500) + strings.Repeat("RUN --mount=type=secret,id=a x\n", 300)
	begin := time.Now()
	fixed, did := Fix([]byte(text), Options{Build: dockerfile.Options{Base: Bases(map[string]string{"known": "5:5"})}})
	if len(did) == 0 || len(did)*len(text) > maxChecked || len(fixed) != len(text)+len(",uid=5")*len(did) {
		t.Errorf("%d changes in %s", len(did), time.Since(begin))
	}
}

// TestEndsWith: the hint creates the account with a program that the base image has.
func TestEndsWith(t *testing.T) {
	for base, want := range map[string]string{"debian:12": "useradd", "fedora": "useradd", "alpine:3.20": "adduser -S", "scratch": "USER 10001:10001"} {
		r := checked("FROM "+base+"\nCMD [\"/a\"]\n", nil)
		if len(r.Findings) != 1 || r.Findings[0].ID != runsAsRoot.ID || !strings.Contains(r.Findings[0].Do, want) {
			t.Errorf("%s: %+v, want %s", base, r.Findings, want)
		}
		if base == "scratch" && strings.Contains(r.Findings[0].Do, "RUN") {
			t.Errorf("scratch has no shell: %s", r.Findings[0].Do)
		}
	}
}

// TestNotFixed: each finding that is not fixed has a reason.
func TestNotFixed(t *testing.T) {
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"rooted": "", "known": "5:5"})}}
	for text, want := range map[string]string{
		"FROM debian\nRUN x\n":                                   "",
		"FROM debian\nUSER 5:5\n":                                "",
		"FROM debian\nUSER app\n":                                "", // a note
		"FROM rooted\n":                                          "runs-as-root: how \"rooted\" makes accounts is not known",
		"FROM debian\nRUN useradd app\n":                         "runs-as-root: it makes accounts itself (useradd), and which of them is meant is not certain: end with USER and its number",
		"FROM debian\nENTRYPOINT [\"gosu\", \"app\"]\n":          "runs-as-root: it needs root for what else is found (steps-down); steps-down, line 2: what is meant is not certain",
		"FROM debian\nSHELL [\"/bin/x\"]\nCMD a\n":               "runs-as-root: it has a SHELL of its own, in which no account may be made",
		"FROM debian AS a\nFROM debian\nUSER 5:5\n":              "",
		"FROM debian\nCOPY <<EOF /x\na\nEOF":                     "runs-as-root: the file ends with a text of its own, behind which nothing can stand",
		"FROM debian\nCOPY --chmod=0700 a /a\nCMD [\"/a\"]\n":    "",
		"FROM debian\nVOLUME /data\nCMD [\"a\"]\n":               "runs-as-root: with a user of its own at the end it has another finding (volume-of-root, line 2: " + volumeOfRoot.Do + ")",
		"FROM nobody/knows\n":                                    "user-unknown, line 1: what is meant is not certain",
		"FROM known\nUSER app\nRUN --mount=type=secret,id=a x\n": "closed-secret, line 3: what is meant is not certain",
	} {
		fixed, _ := Fix([]byte(text), o)
		if got := strings.Join(NotFixed(fixed, o), "; "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	o.Build.Target = "a"
	if got := NotFixed([]byte("FROM debian AS a\nRUN x\nFROM debian\nUSER 5:5\n"), o); len(got) != 1 || got[0] != "runs-as-root: the stage is not the last one" {
		t.Errorf("%q", got)
	}
}

func FuzzFix(f *testing.F) {
	f.Add("FROM debian\nCOPY --chmod=0700 a /a\nRUN --mount=type=secret,id=a x\nCMD [\"/a\"]\n")
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}}
	f.Fuzz(func(t *testing.T, text string) {
		got, did := Fix([]byte(text), o)
		if len(did) == 0 && string(got) != text {
			t.Errorf("%q is %q, and nothing was done", text, got)
		}
		if before := Dockerfile("", []byte(text), o); before.Verdict != Invalid && Dockerfile("", got, o).Verdict == Invalid {
			t.Errorf("%q is %q, which no build reads", text, got)
		}
	})
}

// TestPreparingContainers: an init container that only chowns its volume to a uid is explained. Other ways to change owners or users are
// reported, because they are denied.
func TestPreparingContainers(t *testing.T) {
	for container, want := range map[string]string{
		`command: [chown, -R, "1000:2000", /data]`:                              "prepares 1000:2000",
		`command: [sh, -c, "mkdir -p /data/a && chown -R 1000 /data"]`:          "prepares 1000",
		`{command: [chown, -R, "1000", .], workingDir: /data}`:                  "prepares 1000",
		`{command: [chown, "1000", /data], securityContext: {runAsUser: 0}}`:    "prepares 1000",
		`{command: [chown, "1000", /data], securityContext: {runAsUser: 1000}}`: "",
		`{command: [chown, "1000", /data], securityContext: {runAsUser: 2000}}`: "needs-root-to-start",
		`command: [chown, -R, "app:app", /data]`:                                "needs-root-to-start",
		`command: [chown, "1000", /other]`:                                      "needs-root-to-start",
		`command: [sh, -c, "chown 1000 /data && wget x"]`:                       "needs-root-to-start",
		`command: [chmod, "0777", /data]`:                                       "",
	} {
		inner := strings.TrimSuffix(strings.TrimPrefix(container, "{"), "}")
		r := Manifests("p", []byte("apiVersion: v1\nkind: Pod\nspec:\n  initContainers: [{name: i, image: rooted, volumeMounts: [{name: d, mountPath: /data}], "+inner+"}]\n"),
			Options{Build: dockerfile.Options{Base: Bases(map[string]string{"rooted": ""})}, RuntimeClass: "none"})[0]
		got := ""
		for _, s := range r.Steps {
			if who, ok := strings.CutPrefix(s.Text, "it only prepares a volume for "); ok {
				who, _, _ = strings.Cut(who, ",")
				got = "prepares " + who
			}
		}
		if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == needsRootToStart.ID }) {
			got += needsRootToStart.ID
		}
		if got != want {
			t.Errorf("%s: %q, want %q: %+v", container, got, want, r)
		}
	}
}
