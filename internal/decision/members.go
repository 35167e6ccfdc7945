// SPDX-License-Identifier: Apache-2.0

package decision

// View is a form in which decisions are written.
type View int

// The views.
const (
	Record  View = iota // the file in the bundle, which is read again
	Log                 // a line of the log, of bounded length
	Explain             // nonroot-ctl explain --json
	Test                // nonroot-ctl policy test and policy show --json
	views
)

// Member is a member of a Decision in the views.
type Member struct {
	Field string              // as Go calls it
	to    func(*Decision) any // returns a pointer to it
	names [views]string       // its name in each view; "": it is not there
	bound int                 // the most bytes of a text, or of each text of a list, in the log
	most  int                 // the most elements of a list in the log, which counts the others

	Not string // why it is missing from a view
}

// Name is what a view calls the member; "": it is not there.
func (m *Member) Name(v View) string { return m.names[v] }

// More is the log's name for the number of elements that it left out of a list; "": it is not a list in the log.
func (m *Member) More() string {
	switch m.to(&Decision{}).(type) {
	case *[]string, *[]uint32:
		if name := m.names[Log]; name != "" {
			return name + "_more"
		}
	}
	return ""
}

const (
	located   = "where a container comes from is looked up for the log alone"
	byRuntime = "known once the runtime is called"
	ofImage   = "it takes the image's files"
	toDo      = "it is for whoever carries the decision out"
	decided   = "explain and policy test show the decision, not the call"
	byFile    = "whoever tests a policy names its file"
)

// Members lists each member of a Decision, in the order in which all views write them. A line of the log begins with
// the time (auditlog.Line).
var Members = [...]Member{
	{"Time", func(d *Decision) any { return &d.Time }, [views]string{"time", "time", "", ""}, 0, 0, decided},
	{"Event", func(d *Decision) any { return &d.Event }, [views]string{"", "event", "", ""}, 16, 0, "a record is of one creation; " + decided},
	{"Mode", func(d *Decision) any { return &d.Mode }, [views]string{"mode", "mode", "mode", "mode"}, 16, 0, ""},
	{"Rule", func(d *Decision) any { return &d.Rule }, [views]string{"rule", "rule", "rule", "rule"}, 128, 0, ""},
	{"ID", func(d *Decision) any { return &d.ID }, [views]string{"id", "id", "", ""}, 160, 0, decided},
	{"Engine", func(d *Decision) any { return &d.Engine }, [views]string{"", "engine", "", ""}, 32, 0, located},
	{"Namespace", func(d *Decision) any { return &d.Namespace }, [views]string{"", "namespace", "", ""}, 128, 0, located},
	{"Pod", func(d *Decision) any { return &d.Pod }, [views]string{"", "pod", "", ""}, 160, 0, located},
	{"Container", func(d *Decision) any { return &d.Container }, [views]string{"", "container", "", ""}, 128, 0, located},
	{"Image", func(d *Decision) any { return &d.Image }, [views]string{"", "image", "", ""}, 300, 0, located},
	{"Called", func(d *Decision) any { return &d.Called }, [views]string{"", "name", "", ""}, 128, 0, located},
	{"Asked", func(d *Decision) any { return &d.Asked }, [views]string{"asked", "from", "", ""}, 0, 20, "explain has all of what was asked for, and whoever tests a policy says it"},
	{"Identity", func(d *Decision) any { return &d.Identity }, [views]string{"identity", "to", "identity", "identity"}, 0, 20, ""},
	{"Source", func(d *Decision) any { return &d.Source }, [views]string{"source", "source", "source", "source"}, 16, 0, ""},
	{"Person", func(d *Decision) any { return &d.Person }, [views]string{"", "", "", "name"}, 0, 0, "the others have it as the account's name, once home and names are planned"},
	{"Dropped", func(d *Decision) any { return &d.Dropped }, [views]string{"dropped_groups", "", "dropped_groups", "dropped_groups"}, 0, 20, "the log has who was asked for and who was decided on"},
	{"Name", func(d *Decision) any { return &d.Name }, [views]string{"name", "", "name", ""}, 0, 0, ofImage + ", and says no more than the uid"},
	{"Home", func(d *Decision) any { return &d.Home }, [views]string{"home", "", "home", ""}, 0, 0, ofImage + ", and gives no power"},
	{"Mounted", func(d *Decision) any { return &d.Mounted }, [views]string{"home_mounted", "", "home_mounted", ""}, 0, 0, ofImage + ", and gives no power"},
	{"AskedHome", func(d *Decision) any { return &d.AskedHome }, [views]string{"asked_home", "", "", ""}, 0, 0, "an exec needs it, and nobody else"},
	{"Changed", func(d *Decision) any { return &d.Changed }, [views]string{"", "changed", "", ""}, 24, 14, "explain compares the documents themselves"},
	{"Notes", func(d *Decision) any { return &d.Notes }, [views]string{"notes", "notes", "", "notes"}, 110, 3, "explain has them beside its own"},
	{"RootVolumes", func(d *Decision) any { return &d.RootVolumes }, [views]string{"root_volumes", "root_volumes", "", ""}, 128, 2, "explain and policy test change and look at no volume"},
	{"Reason", func(d *Decision) any { return &d.Reason }, [views]string{"reason", "reason", "reason", "reason"}, 400, 0, ""},
	{"Audited", func(d *Decision) any { return &d.Audited }, [views]string{"audited", "audited", "", "audited"}, 250, 0, "explain says what happens, not what would"},
	{"Policy", func(d *Decision) any { return &d.Policy }, [views]string{"policy", "", "policy", ""}, 0, 0, "the log has the digest, which tells versions apart; " + byFile},
	{"Profile", func(d *Decision) any { return &d.Profile }, [views]string{"profile", "profile", "", ""}, 64, 0, "explain has the policy's file; " + byFile},
	{"Digest", func(d *Decision) any { return &d.Digest }, [views]string{"policy_sha256", "policy_sha256", "", ""}, 64, 0, "explain has the policy's file; " + byFile},
	{"Version", func(d *Decision) any { return &d.Version }, [views]string{"version", "version", "", ""}, 64, 0, decided},
	{"Bounding", func(d *Decision) any { return &d.Bounding }, [views]string{"bounding", "", "", ""}, 0, 0, "the start gate needs it, and nobody else"},
	{"Runtime", func(d *Decision) any { return &d.Runtime }, [views]string{"runtime", "", "runtime", ""}, 0, 0, byRuntime},
	{"Config", func(d *Decision) any { return &d.Config }, [views]string{"config_sha256", "", "", ""}, 0, 0, byRuntime},
	{"Start", func(d *Decision) any { return &d.Start }, [views]string{"start", "", "", ""}, 0, 0, byRuntime},
	{"Duration", func(d *Decision) any { return &d.Duration }, [views]string{"", "duration_us", "", ""}, 0, 0, "it ends when the line is written"},
	{"PersonHome", func(d *Decision) any { return &d.PersonHome }, [views]string{}, 0, 0, toDo},
	{"Leases", func(d *Decision) any { return &d.Leases }, [views]string{}, 0, 0, toDo},
	{"Missing", func(d *Decision) any { return &d.Missing }, [views]string{}, 0, 0, "a decision that is written down is final"},
}
