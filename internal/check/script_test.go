// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// runOf returns a RUN instruction with a script.
func runOf(script string) *instructions.RunCommand {
	return &instructions.RunCommand{ShellDependantCmdLine: instructions.ShellDependantCmdLine{CmdLine: []string{script}, PrependShell: true}}
}

// TestScriptWords: a script's commands, in their order, with what is not certain as it is written.
func TestScriptWords(t *testing.T) {
	build := dockerfile.Command{Variables: map[string]string{"DIR": "/srv", "TWO": "a b"}, Unset: map[string]bool{"NONE": true}}
	for text, want := range map[string]string{
		"chmod 4755 \"$DIR/a b\" $TWO '$DIR'":                          "[chmod 4755 /srv/a b a b $DIR]",
		"A=/x; mkdir -p $A/${B:-y} \\\n  && A=/z B=1 env C=2 touch $A": "[mkdir -p $A/${B:-y}] [touch /x]",
		"mkdir $NONE; echo ${NONE:-d}":                                 "[mkdir] [echo d]",
		"if ! exec sudo x; then y; elif z; then :; fi | tee log &":     "[sudo x] [y] [z] [:] [tee log]",
		"x=$(id -u) && chown \"$x\" $(pwd)/a >/dev/null 2>&1":          "[id -u] [chown \"$x\" $(pwd)/a] [pwd]",
		"for d in a b; do mkdir $d; done; [ -d a ] && { cd a; }":       "[mkdir $d] [[ -d a ]] [cd a]",
		"time -p make; f() { install a; }; f":                          "[make] [install a] [f]",
		"sh -c \"setcap x $TWO\" && su app":                            "[sh -c setcap x a b] [setcap x a b] [su app]",
		"eval \"chown $DIR\"; chmod 0 $DIR":                            "[eval \"chown $DIR\"] [chown $_] [chmod 0 $DIR]",
		"cat <<A | bash -s; tail\nmkdir $DIR\nA":                       "[cat] [bash -s] [mkdir /srv] [tail]",
		"bash <<A\nmkdir $DIR\nA":                                      "[bash] [mkdir /srv]",
		"mkdir (":                                                      "",
		"echo " + strings.Repeat("$TWO", 3):                            "[echo a ba ba b]",
	} {
		commands, _ := readRun(build, runOf(text), "", budget()).known()
		var all []string
		for _, c := range commands {
			all = append(all, fmt.Sprint(c))
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	s := readRun(build, runOf("chmod 4755 \"$DIR/a\""), "", budget())
	if _, written := s.known(); !reflect.DeepEqual(written, map[string]string{"/srv/a": `"$DIR/a"`}) {
		t.Errorf("%q", written)
	}
}

// TestScriptsByShells: what a command gets of a real shell is what was read, wherever that is certain.
func TestScriptsByShells(t *testing.T) {
	build := dockerfile.Command{Variables: map[string]string{"ONE": "/srv", "TWO": "a  b", "EMPTY": ""}, Unset: map[string]bool{"NONE": true, "MORE": true}}
	certain := 0
	for _, text := range []string{
		`show $ONE "$ONE" '$ONE' \$ONE "\$ONE" $ONE/x"y"$ONE`,
		`show $TWO "$TWO" x$TWO"z" ${TWO}`,
		`show $EMPTY "$EMPTY" ''"" $NONE "$NONE"`,
		`show ${NONE:-d} ${NONE-d e} "${NONE:-d e}" ${EMPTY:-f} ${EMPTY-f} ${ONE:+g} ${NONE:+g} ${EMPTY+g}`,
		`show ${ONE#/} ${ONE%v} ${#ONE} ${TWO##* } ${TWO%% *}`,
		`show ${NONE:=7} $NONE; show $NONE`,
		`show $((1+2*3)) $(($((4))-4)) "$((7 / 2))"`,
		`A=1; B="$A 2" C=$A; show $A "$B" $C; A=3; show $A`,
		`export A=1 && show $A && (A=2; show $A) && show $A`,
		`A=1 show x; B=2 | show $B; show y`,
		"show a \\\n b # c\nshow 'x\ny' d#e",
		`if show i; then show t; else show e; fi; ! show n; { show g; }`,
		`case $ONE in /srv) show yes;; esac; while show w; do break; done`,
		`f() { show "$1" f; }; f 1; show $@ "$@" $# $?`,
		"show <<A x\n$ONE\nA\nshow y 2>&1 >/dev/null; show z",
		`show *.none "[a]" ~/x ${ONE}* $(show sub) "$(echo q)"`,
		"show `echo b` | cat; show c && show d || show e",
		`for A in 1 2; do show $A; done; show "$A"`,
		`sh -c 'show in' ; eval "show ev"; show $ONE`,
		`unset ONE; show $ONE; read A </dev/null; show $A`,
		`show $UID $PPID $RANDOM $HOME $PWD "$IFS"`,
		`IFS=/; show $ONE; IFS=; show $TWO`,
		`show ${TWO/a/c} ${TWO:0:1} {x,y}`, // bash alone has these
	} {
		var read []string
		for _, c := range readRun(build, runOf(text), "", budget()).commands {
			if c.words[0] == "show" {
				read = append(read, "<"+strings.Join(c.words[1:], "><")+">")
			}
		}
		for _, by := range []string{"bash", "dash"} {
			c := exec.Command(by, "-c", "show() { (IFS=; printf '<'; first=1; for a; do [ $first ] || printf '><'; printf %s \"$a\"; first=; done; printf '>\\0' ) >&3; }\n"+text)
			c.Dir, c.Env = t.TempDir(), []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "ONE=/srv", "TWO=a  b", "EMPTY="}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.ExtraFiles = []*os.File{w}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			said, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // the last command's status
			shown := strings.Split(strings.TrimSuffix(string(said), "\x00"), "\x00")
			for _, got := range shown {
				if !slices.ContainsFunc(read, func(r string) bool { return r == got || strings.Contains(r, notKnown) }) && (by == "bash" || !strings.Contains(text, "{x,y}")) {
					t.Errorf("%s: %q gives %q, and %q was read", by, text, got, read)
				}
				if slices.Contains(read, got) {
					certain++
				}
			}
		}
	}
	if certain < 50 {
		t.Errorf("%d commands were certain", certain)
	}
}

// TestScriptBounds: a script that is too deep, or has no end, is not read, in little time.
func TestScriptBounds(t *testing.T) {
	begin := time.Now()
	for _, one := range []string{"(", "{ ", "$(", "if ", "while ", "\"$(", "${a:-", "$((", "case a in a) ", "f() ", "`", "time ", "! ", "a | ", "{a,", "{1..99}", "a && "} {
		for _, size := range []int{maxScript, 1 << 20} {
			readRun(dockerfile.Command{}, runOf(strings.Repeat(one, size/len(one))), "", budget())
			readRun(dockerfile.Command{}, runOf("useradd "+strings.Repeat(one, size/len(one))), "", budget())
		}
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("A=1; useradd -o -u ${A:-$((1+B))} {a,b} ~x <<EOF >/etc/passwd\n$A\nEOF\ncase $A in *) sh -c \"chown $A ${#A} ${A/x/y} ${A:1:2} ${!A} ${A[1]} $@ $* `id`\";; esac")
	f.Fuzz(func(t *testing.T, text string) {
		s := readRun(dockerfile.Command{Variables: map[string]string{"A": "1 2", "B": "*"}, Unset: map[string]bool{"C": true}}, runOf(text), "", budget())
		commands, _ := s.known()
		for _, c := range commands {
			if len(c) == 0 || c[0] == "" || strings.Contains(strings.Join(c, ""), notKnown) && !strings.Contains(text, notKnown) {
				t.Errorf("%q", c)
			}
		}
		s.accounts()
		s.entry("app")
	})
}

func budget() *int {
	left := maxScripts
	return &left
}

// TestScriptsOfAFile: subshells, and many scripts in a file, take little time.
func TestScriptsOfAFile(t *testing.T) {
	vars := ""
	for n := range 1500 {
		vars += fmt.Sprintf("v%d=;", n)
	}
	for _, text := range []string{vars + strings.Repeat(":|", 1000) + ":", vars + strings.Repeat("(:);", 600), strings.Repeat("useradd -o -u $A$A$A$A a;", 600), strings.Repeat("! ", 5000) + ":"} {
		file := "FROM fedora\nENV A=" + strings.Repeat("x", 200) + "\n" + strings.Repeat("RUN "+text+"\n", dockerfile.MaxBytes/(len(text)+6)-1) + "USER app\n"
		begin := time.Now()
		if r := Dockerfile("Dockerfile", []byte(file), Options{Build: dockerfile.Options{Base: Bases(nil)}}); r.Verdict == Invalid {
			t.Errorf("%+v", r.Findings)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%.20q took %s", text[max(0, len(text)-20):], took)
		}
	}
}
