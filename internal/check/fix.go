// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// fixedID is the uid and gid of the user that a fix adds.
const fixedID = 10001

// edit is a change of one line. If old is empty, new is added to the end of the file.
type edit struct {
	line int // from 1; one behind the last line: the end
	old  string
	new  string
}

// maxChecked limits the bytes that Fix checks, because it checks the file again after each change. The longest Dockerfiles of well-known
// images have 100 kB, and need few changes.
const maxChecked = 4 << 20

// Fix corrects what it can correct with certainty in a Dockerfile, and keeps every other byte. Each change is checked again, and dropped
// unless there are fewer findings afterwards and no new ones. Ignored findings are not fixed.
func Fix(text []byte, o Options) (fixed []byte, did []string) {
	fixed = text
	checked := 0
	for _, fix := range []func([]byte, *dockerfile.Image, Result) (edit, string, bool){fixMode, fixSecret, fixCache, fixNumber, fixOwner, fixRoot} {
		for range 100 { // changes of a kind, one at a time
			if checked += len(fixed); checked > maxChecked && checked > len(fixed) {
				return fixed, did
			}
			image, err := evaluate(fixed, o.Build)
			if err != nil {
				return fixed, did
			}
			before := Dockerfile("", fixed, o)
			e, said, ok := fix(fixed, image, before)
			if !ok {
				break
			}
			after, ok := e.apply(fixed)
			if !ok {
				break
			}
			if !better(before, Dockerfile("", after, o)) {
				// The image's program and the files that it writes are reported only now that the image does not run as root.
				if after, said, ok = alsoRoots(after, said, o); !ok || !better(before, Dockerfile("", after, o)) {
					break
				}
			}
			fixed, did = after, append(did, said)
		}
	}
	return fixed, did
}

// alsoRoots makes further changes to a text that no longer runs as root.
func alsoRoots(text []byte, said string, o Options) (fixed []byte, all string, ok bool) {
	for _, fix := range []func([]byte, *dockerfile.Image, Result) (edit, string, bool){fixMode, fixOwner} {
		image, err := evaluate(text, o.Build)
		if err != nil {
			return nil, said, false
		}
		e, more, found := fix(text, image, Dockerfile("", text, o))
		if !found {
			continue
		}
		if text, ok = e.apply(text); !ok {
			return nil, said, false
		}
		said += ", " + more
	}
	return text, said, ok
}

// better reports whether there are fewer findings than before, and no more of any kind.
func better(before, after Result) bool {
	if after.Verdict == Invalid || len(after.Findings) >= len(before.Findings) {
		return false
	}
	count := func(r Result, id string) (n int) {
		for _, f := range r.Findings {
			if f.ID == id {
				n++
			}
		}
		return n
	}
	return !slices.ContainsFunc(after.Findings, func(f Finding) bool { return count(after, f.ID) > count(before, f.ID) })
}

// apply changes the text. It fails unless the old text is in the line exactly once, and no other instruction changes. The last instruction
// would change if the file ends in the middle of it.
func (e edit) apply(text []byte) ([]byte, bool) {
	after, ok := e.put(text)
	return after, ok && e.keeps(text, after)
}

// keeps reports whether at most the edited instruction has changed.
func (e edit) keeps(text, after []byte) bool {
	was, is := dockerfile.Instructions(text), dockerfile.Instructions(after)
	if len(is) != len(was)+strings.Count(e.new, "\n") {
		return false
	}
	different := 0
	for n, one := range was {
		if is[n] != one {
			different++
		}
	}
	return different == 0 || different == 1 && e.old != ""
}

func (e edit) put(text []byte) ([]byte, bool) {
	lines := strings.SplitAfter(string(text), "\n")
	if e.old == "" {
		all, end := string(text), "\n"
		if n := strings.Count(all, "\r\n"); n > 0 && n == strings.Count(all, "\n") {
			end = "\r\n"
		}
		if all != "" && !strings.HasSuffix(all, "\n") {
			all += end
		}
		return []byte(all + strings.ReplaceAll(e.new, "\n", end)), true
	}
	if e.line < 1 || e.line > len(lines) || strings.Count(lines[e.line-1], e.old) != 1 {
		return nil, false
	}
	lines[e.line-1] = strings.Replace(lines[e.line-1], e.old, e.new, 1)
	return []byte(strings.Join(lines, "")), true
}

// of returns a finding of a kind that marks a word in its line.
func of(r Result, k kind) (Finding, bool) {
	at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == k.ID && f.Line > 0 && f.Length > 0 })
	if at < 0 {
		return Finding{}, false
	}
	return r.Findings[at], true
}

// fixMode lets everybody run the program that only root can run.
func fixMode(_ []byte, _ *dockerfile.Image, r Result) (edit, string, bool) {
	f, ok := of(r, closedProg)
	if !ok {
		return edit{}, "", false
	}
	mode := f.Source[f.Column-1 : f.Column-1+f.Length]
	return edit{f.Line, "--chmod=" + mode, "--chmod=0755"}, fmt.Sprintf("line %d: mode 0755", f.Line), true
}

// numberAt returns the uid and group of the user that runs the instruction at a line, if the uid is a number.
func numberAt(image *dockerfile.Image, line int) (uid uint32, group string, ok bool) {
	for _, c := range image.Commands {
		run, isRun := c.Command.(*instructions.RunCommand)
		if !isRun || c.OnBuild {
			continue
		}
		at := run.Location()
		if len(at) == 0 || line < at[0].Start.Line || line > at[len(at)-1].End.Line {
			continue
		}
		u := imageuser.Read(c.User)
		return u.UID, u.Group, u.Kind == imageuser.Number
	}
	return 0, "", false
}

// fixSecret sets the owner of a secret to the user that reads it.
func fixSecret(_ []byte, image *dockerfile.Image, r Result) (edit, string, bool) {
	f, ok := of(r, secretMount)
	if !ok {
		return edit{}, "", false
	}
	uid, _, ok := numberAt(image, f.Line)
	return edit{f.Line, "type=secret", fmt.Sprintf("type=secret,uid=%d", uid)}, fmt.Sprintf("line %d: the secret is %d's", f.Line, uid), ok
}

// fixCache sets the owner of a cache to the user that writes to it.
func fixCache(_ []byte, image *dockerfile.Image, r Result) (edit, string, bool) {
	f, ok := of(r, cacheMount)
	if !ok {
		return edit{}, "", false
	}
	uid, group, ok := numberAt(image, f.Line)
	owner := fmt.Sprintf("type=cache,uid=%d", uid)
	if g := imageuser.Read(group); g.Kind == imageuser.Number {
		owner += fmt.Sprintf(",gid=%d", g.UID)
	}
	return edit{f.Line, "type=cache", owner}, fmt.Sprintf("line %d: the cache is %d's", f.Line, uid), ok
}

// fixOwner sets the owner of files from the build context to the user that writes to them, if it is a number.
func fixOwner(_ []byte, image *dockerfile.Image, r Result) (edit, string, bool) {
	user := imageuser.Read(image.User)
	owner := fmt.Sprint(user.UID)
	if group := imageuser.Read(user.Group); group.Kind == imageuser.Number {
		owner += fmt.Sprintf(":%d", group.UID)
	} else if user.Group != "" {
		return edit{}, "", false
	}
	for _, f := range r.Findings {
		if f.ID != directoryOfRoot.ID || user.Kind != imageuser.Number {
			continue
		}
		for _, c := range image.Commands {
			one, ok := c.Command.(*instructions.CopyCommand)
			if !ok || c.OnBuild || one.Chown != "" || f.Line != c.Line {
				continue
			}
			keyword, _, ok := strings.Cut(strings.TrimLeft(f.Source, " \t"), " ")
			if ok && strings.EqualFold(keyword, "COPY") {
				return edit{f.Line, keyword + " ", keyword + " --chown=" + owner + " "}, fmt.Sprintf("line %d: what is copied is %s's", f.Line, owner), true
			}
		}
	}
	return edit{}, "", false
}

// fixNumber replaces the user's name with its uid and gid, if the file creates the account and the group with numbers.
func fixNumber(_ []byte, image *dockerfile.Image, r Result) (edit, string, bool) {
	f, ok := of(r, userByName)
	if !ok || image.User != f.Source[f.Column-1:f.Column-1+f.Length] {
		return edit{}, "", false
	}
	uid, gid, ok := numbered(image, image.User)
	who := fmt.Sprintf("%d:%d", uid, gid)
	return edit{f.Line, "USER " + image.User, "USER " + who}, fmt.Sprintf("line %d: %s is %s", f.Line, image.User, who), ok
}

// numbered returns the uid and gid with which a file creates an account. It fails if one of them is missing, or if an account is added to
// further groups, which a number would leave out. Variables of the build count as unknown, because another build may set them otherwise.
func numbered(image *dockerfile.Image, name string) (uid, gid uint32, ok bool) {
	made, left, ids := 0, maxScripts, map[string]string{}
	user, group := "", ""
	for _, c := range image.Commands {
		if one, ok := c.Command.(*instructions.CopyCommand); ok && slices.Contains([]string{passwd, groups, path.Dir(groups)}, path.Clean("/"+one.DestPath)) {
			return 0, 0, false
		}
		run, isRun := c.Command.(*instructions.RunCommand)
		if !isRun {
			continue
		}
		if text := textOf(run.ShellDependantCmdLine); strings.Contains(text, passwd) || strings.Contains(text, groups) || strings.Contains(text, "gpasswd") {
			return 0, 0, false // accounts are edited in other ways, too
		}
		for _, a := range readRun(dockerfile.Command{}, run, "", &left).accounts() {
			about := strings.Join(a.operands, " ")
			switch {
			case strings.HasSuffix(a.tool, "mod"), a.members, strings.Contains(about, notKnown):
				return 0, 0, false
			case strings.HasPrefix(a.tool, "group"), a.tool == "addgroup":
				if len(a.operands) != 1 {
					return 0, 0, false // adds an account to a group
				}
				ids[a.operands[0]] = a.gid
			case about != name:
				if slices.Contains(a.operands, name) {
					return 0, 0, false // adds the account to a group
				}
			default:
				made++
				if user = a.uid; !a.primary(image.Base, &group) {
					return 0, 0, false
				}
			}
		}
	}
	if number, ok := ids[group]; ok {
		group = number
	}
	u, g := imageuser.Read(user), imageuser.Read(group)
	return u.UID, g.UID, made == 1 && u.Kind == imageuser.Number && g.Kind == imageuser.Number && u.Group == "" && g.Group == ""
}

// primary sets the group of a new account. It fails if the account is in further groups, or if it is not known which program adduser is: on
// Alpine it is busybox's, on Fedora useradd, and on Debian a script.
func (a *accountCommand) primary(base string, group *string) bool {
	tools := family(base)
	switch busybox := tools == "alpine" || strings.ContainsAny(a.short, "SDH"); {
	case a.tool == "useradd" || tools == "fedora":
		*group = a.gid
		return a.groups == ""
	case a.ingroup != "":
		*group = a.ingroup
		return a.groups == ""
	case busybox: // -g is the comment
		*group = a.groups
		return true
	}
	*group = a.gid
	return a.groups == "" && tools == "debian"
}

// fixRoot adds a user at the end of the last stage. The base has to be scratch, where a number is enough, or a distribution's image with
// known tools.
func fixRoot(text []byte, image *dockerfile.Image, r Result) (edit, string, bool) {
	account, why := account(text, image, r)
	if why != "" || !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == runsAsRoot.ID }) {
		return edit{}, "", false
	}
	return edit{new: account + fmt.Sprintf("USER %d:%d\n", fixedID, fixedID)}, fmt.Sprintf("the image ends with the user %d:%d", fixedID, fixedID), true
}

// account returns the instruction that creates the account for a fix, or else the reason why there can't be one: the program may need root,
// or the file may create users itself.
func account(text []byte, image *dockerfile.Image, r Result) (instruction, why string) {
	for _, k := range []kind{stepsDown, needsRootToStart, atStart, volumeOfRoot, capability, setuidFile} {
		if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == k.ID }) {
			return "", fmt.Sprintf("it needs root for what else is found (%s)", k.ID)
		}
	}
	for _, tool := range []string{"useradd", "adduser", "groupadd", "addgroup", passwd, groups} {
		if strings.Contains(string(text), tool) && !(path.IsAbs(tool) && family(image.Base) == "scratch") {
			return "", fmt.Sprintf("it makes accounts itself (%s), and which of them is meant is not certain: end with USER and its number", tool)
		}
	}
	switch ends, inLast := end(image); {
	case !inLast:
		return "", "the stage is not the last one"
	case ends.Heredoc:
		return "", "the file ends with a text of its own, behind which nothing can stand"
	}
	// The account can only be created with the default shell and as the default user.
	for _, c := range image.Commands {
		if _, ok := c.Command.(*instructions.ShellCommand); ok {
			return "", "it has a SHELL of its own, in which no account may be made"
		}
	}
	switch family(image.Base) {
	case "scratch":
		return "", ""
	case "debian", "fedora":
		// With --user-group the gid would differ from the uid, because --system takes gids from a range of its own.
		return fmt.Sprintf("RUN groupadd --gid %d app && useradd --system --uid %d --gid %d --no-create-home app\n", fixedID, fixedID, fixedID), ""
	case "alpine":
		return fmt.Sprintf("RUN addgroup -S -g %d app && adduser -S -D -H -u %d -G app app\n", fixedID, fixedID), ""
	}
	return "", fmt.Sprintf("how %s makes accounts is not known", quote.Value(image.Base))
}

// NotFixed explains the findings, warnings or worse, that remain in a text after Fix.
func NotFixed(text []byte, o Options) (why []string) {
	image, err := evaluate(text, o.Build)
	if err != nil {
		return nil // a finding already reports it
	}
	r := Dockerfile("", text, o)
	for _, f := range r.Findings {
		switch {
		case !f.Severity.AtLeast(Warning):
		case f.ID == runsAsRoot.ID:
			_, because := account(text, image, r)
			if because == "" {
				because = instead(text, image, r, o)
			}
			why = append(why, fmt.Sprintf("%s: %s", f.ID, because))
		default:
			why = append(why, fmt.Sprintf("%s, line %d: what is meant is not certain", f.ID, f.Line))
		}
	}
	return why
}

// instead explains why root is better than a user at the end of the text: the findings that the user would have.
func instead(text []byte, image *dockerfile.Image, r Result, o Options) string {
	var found []string
	if e, _, ok := fixRoot(text, image, r); ok {
		if after, ok := e.apply(text); ok {
			for _, f := range Dockerfile("", after, o).Findings {
				if !slices.ContainsFunc(r.Findings, func(was Finding) bool { return was.ID == f.ID }) {
					found = append(found, fmt.Sprintf("%s, line %d: %s", f.ID, f.Line, f.Do))
				}
			}
		}
	}
	if len(found) == 0 {
		return "what comes out would not be better"
	}
	return "with a user of its own at the end it has another finding (" + strings.Join(found, "; ") + ")"
}

// end returns the last instruction of the file, and whether it belongs to the image.
func end(image *dockerfile.Image) (last dockerfile.Span, inLast bool) {
	if len(image.Spans) == 0 {
		return last, false
	}
	last = image.Spans[len(image.Spans)-1]
	if len(image.Commands) == 0 {
		return last, len(image.Steps) > 0 && image.Steps[0].Line >= last.First
	}
	at := image.Commands[len(image.Commands)-1].Line
	return last, at >= last.First && at <= last.Last
}
