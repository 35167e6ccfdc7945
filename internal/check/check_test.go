// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imagefile"
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

// TestPages: each kind has a page, whose bad example has a finding of it, at a line, and whose good one has none of it, and runs as
// somebody else than root.
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
		if language == "image" {
			return described(t, strings.Split(strings.TrimSpace(text), "\n"))
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

func TestVerdicts(t *testing.T) {
	for text, want := range map[string]Verdict{
		"FROM debian":                                        Root,
		"FROM debian:12-slim":                                Root,
		"FROM docker.io/library/debian":                      Root,
		"FROM scratch":                                       Root,
		"FROM nobody/debian":                                 Unknown,
		"FROM nobody/debian\nUSER root":                      Root,
		"FROM nobody/debian\nUSER 1:1":                       NonRoot,
		"FROM known":                                         NonRoot,
		"FROM known:1.2":                                     NonRoot,
		"FROM known:rooted":                                  Root,
		"FROM known\nUSER 0":                                 Root,
		"FROM debian\nUSER app":                              NonRoot,
		"FROM debian\nRUN useradd -o -u 0 app\nUSER app":     Root,
		"FROM debian\nRUN useradd -u 10 app\nUSER app":       NonRoot,
		"FROM debian\nUSER app # comment":                    Never,
		"FROM debian\nUSER 1:1:1":                            Never,
		"FROM scratch\nUSER app":                             Never,
		"FROM scratch\nCOPY passwd /etc/passwd\nUSER app":    NonRoot,
		"FROM scratch\nUSER 65532":                           NonRoot,
		"FROM mcr.microsoft.com/windows/nanoserver:ltsc2022": Windows,
		"FRM debian":                                         Invalid,
		"":                                                   Invalid,
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

// TestNothingToSay: what is right has no finding, also where it looks like something else.
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
		"WORKDIR /root/x\nENV ROOT=/root",
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
		"RUN chmod 4755 /x":                                                       setuidFile,
		"RUN true && \\\n  chmod g+s /x":                                          setuidFile,
		"RUN <<EOF\nsetcap cap_net_raw=+ep /x\nEOF":                               capability,
		"USER 5:5\nRUN apk add --no-cache curl":                                   needsRoot,
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

// TestPolicy: what becomes of the image is what the policy decides.
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

// TestScripts: what the image starts is read in the build context, under the name that it has there.
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

// TestIgnore: a comment takes away what it names, from what it stands above, for a reason.
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

// described is an image that lines describe: those that begin with a word in capitals are its configuration, the others its files.
func described(t *testing.T, lines []string) Result {
	t.Helper()
	config := map[string]any{}
	var files []string
	for _, line := range lines {
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "":
		case "USER":
			config["User"] = value
		case "WORKDIR":
			config["WorkingDir"] = value
		case "ENTRYPOINT":
			config["Entrypoint"] = strings.Fields(value)
		case "CMD":
			config["Cmd"] = strings.Fields(value)
		case "ENV":
			config["Env"] = []string{value}
		case "VOLUME":
			config["Volumes"] = map[string]any{value: map[string]any{}}
		default:
			files = append(files, line)
		}
	}
	text := testkit.DockerArchive(t, "app:1", config, testkit.Layer(t, files...)).Tar(t)
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

const usualPasswd = `/etc/passwd: root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh`

// TestImages: whom an image runs as, by its own accounts, and what is found beside that.
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
	}
}
