// SPDX-License-Identifier: Apache-2.0

package record

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// The record is written and read without reflection: encoding/json costs each governed call a tenth of its time.

// encode gives the record's JSON, one line.
func encode(r *Record) []byte {
	w := writer{make([]byte, 0, 1024)}
	w.object(func() {
		w.text("id", r.ID)
		w.text("time", r.Time.Format(time.RFC3339Nano))
		w.text("mode", string(r.Mode))
		w.text("rule", r.Rule)
		w.text("reason", r.Reason)
		w.text("audited", r.Audited)
		w.text("source", string(r.Source))
		w.text("policy", r.Policy)
		w.text("profile", r.Profile)
		w.text("policy_sha256", r.Digest)
		w.text("version", r.Version)
		if r.Mode != policy.Off { // then nobody has looked
			w.identity("asked", &r.Asked)
		}
		w.identity("identity", r.Identity)
		w.numbers("dropped_groups", r.Dropped)
		w.text("name", r.Name)
		w.text("home", r.Home)
		if r.Mounted {
			w.key("home_mounted")
			w.b = append(w.b, "true"...)
		}
		w.texts("notes", r.Notes)
		w.texts("bounding", r.Bounding)
		w.text("runtime", r.Runtime)
		w.text("config_sha256", r.Config)
		if r.Start != 0 {
			w.key("start")
			w.b = strconv.AppendUint(w.b, r.Start, 10)
		}
	})
	return append(w.b, '\n')
}

// writer appends members; one that is empty is left out.
type writer struct{ b []byte }

func (w *writer) object(members func()) {
	w.b = append(w.b, '{')
	members()
	w.b = append(w.b, '}')
}

func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.quoted(name)
	w.b = append(w.b, ':')
}

// quoted writes a string. Invalid UTF-8 becomes U+FFFD.
func (w *writer) quoted(s string) { w.b, _ = jsontext.AppendQuote(w.b, s) }

func (w *writer) text(name, value string) {
	if value != "" {
		w.key(name)
		w.quoted(value)
	}
}

func (w *writer) number(name string, value uint32) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, uint64(value), 10)
}

func (w *writer) numbers(name string, values []uint32) {
	w.list(name, len(values), func(i int) { w.b = strconv.AppendUint(w.b, uint64(values[i]), 10) })
}

func (w *writer) texts(name string, values []string) {
	w.list(name, len(values), func(i int) { w.quoted(values[i]) })
}

func (w *writer) list(name string, n int, element func(int)) {
	if n == 0 {
		return
	}
	w.key(name)
	for i := range n {
		w.b = append(w.b, "[,"[min(i, 1)])
		element(i)
	}
	w.b = append(w.b, ']')
}

func (w *writer) identity(name string, id *policy.Identity) {
	if id == nil {
		return
	}
	w.key(name)
	w.object(func() {
		w.number("uid", id.UID)
		w.number("gid", id.GID)
		w.numbers("groups", id.Groups)
	})
}

// decode reads what encode wrote. Members of a later version are passed over.
func decode(data []byte) (*Record, error) {
	r := &Record{}
	err := jsonscan.Members(data, func(name string, v []byte) (err error) {
		switch name {
		case "id":
			r.ID, err = jsonscan.String(v)
		case "time":
			var text string
			if text, err = jsonscan.String(v); err == nil {
				r.Time, err = time.Parse(time.RFC3339Nano, text)
			}
		case "mode":
			err = word(v, &r.Mode)
		case "rule":
			r.Rule, err = jsonscan.String(v)
		case "audited":
			r.Audited, err = jsonscan.String(v)
		case "reason":
			r.Reason, err = jsonscan.String(v)
		case "source":
			err = word(v, &r.Source)
		case "policy":
			r.Policy, err = jsonscan.String(v)
		case "profile":
			r.Profile, err = jsonscan.String(v)
		case "policy_sha256":
			r.Digest, err = jsonscan.String(v)
		case "version":
			r.Version, err = jsonscan.String(v)
		case "asked":
			err = identity(v, &r.Asked)
		case "identity":
			r.Identity = &policy.Identity{}
			err = identity(v, r.Identity)
		case "dropped_groups":
			r.Dropped, err = numbers(v)
		case "name":
			r.Name, err = jsonscan.String(v)
		case "home":
			r.Home, err = jsonscan.String(v)
		case "home_mounted":
			r.Mounted = string(v) == "true"
		case "notes":
			r.Notes, err = texts(v)
		case "bounding":
			r.Bounding, err = texts(v)
		case "runtime":
			r.Runtime, err = jsonscan.String(v)
		case "config_sha256":
			r.Config, err = jsonscan.String(v)
		case "start":
			r.Start, err = jsonscan.Uint(v, 63)
		}
		return err
	})
	return r, err
}

func word[T ~string](v []byte, to *T) error {
	s, err := jsonscan.String(v)
	*to = T(s)
	return err
}

func identity(v []byte, id *policy.Identity) error {
	return jsonscan.Members(v, func(name string, v []byte) (err error) {
		switch name {
		case "uid":
			id.UID, err = number(v)
		case "gid":
			id.GID, err = number(v)
		case "groups":
			id.Groups, err = numbers(v)
		}
		return err
	})
}

func number(v []byte) (uint32, error) {
	n, err := jsonscan.Uint(v, 32)
	return uint32(n), err // #nosec G115 -- ParseUint was given 32 bits
}

func numbers(v []byte) (all []uint32, err error) {
	err = jsonscan.Elements(v, func(e []byte) error {
		n, err := number(e)
		all = append(all, n)
		return err
	})
	return all, err
}

func texts(v []byte) (all []string, err error) {
	err = jsonscan.Elements(v, func(e []byte) error {
		s, err := jsonscan.String(e)
		all = append(all, s)
		return err
	})
	return all, err
}
