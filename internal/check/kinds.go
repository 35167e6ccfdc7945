// SPDX-License-Identifier: Apache-2.0

package check

// kind is a kind of finding. Each has a page of its name in docs/checks with a bad and a good example, and a test checks both.
type kind struct {
	ID       string
	Severity Severity
	Title    string // of the page
	Do       string
}

var (
	unreadable          = kind{Unreadable, Error, "It can't be read", "fix what is named"}
	runsAsRoot          = kind{"runs-as-root", Error, "The image runs as root", "end with USER 10001:10001; its name in passwd: RUN groupadd --gid 10001 app && useradd --uid 10001 --gid 10001 app"}
	userUnknown         = kind{"user-unknown", Warning, "Who the image runs as is not known", "end with a USER of its own, or say what the base has: --base NAME=USER"}
	neverStarts         = kind{"never-starts", Error, "No container starts with this user", "name a uid from 1 to 2147483647, or an account that the image has"}
	userByName          = kind{"user-by-name", Note, "The user is a name", "write its number (USER 10001:10001): Kubernetes' runAsNonRoot can't tell who a name is"}
	rootGroup           = kind{"root-group", Warning, "The user is in root's group", "name a group of its own (USER 10001:10001)"}
	needsRoot           = kind{"needs-root", Error, "A step of the build needs root after USER", "move it before USER"}
	stepsDown           = kind{"steps-down", Warning, "The image's program changes the user itself", "name the user (USER) and start the program itself"}
	needsRootToStart    = kind{"needs-root-to-start", Warning, "The image's program needs root", "leave it out, or do so when the image is built"}
	setuidFile          = kind{"setuid-file", Warning, "A program is made setuid or setgid", "leave it out: with no_new_privs it has no effect"}
	capability          = kind{"file-capabilities", Warning, "A program is given capabilities", "leave it out: with no_new_privs it has no effect; ports below 1024 are open to every user in a network of the container's own"}
	closedProg          = kind{"closed-program", Error, "The image's program can be run by root alone", "give it mode 0755"}
	secretMount         = kind{"closed-secret", Error, "A secret of the build can be read by root alone", "add uid= of the user who reads it, or mode=0444"}
	cacheMount          = kind{"closed-cache", Error, "A cache of the build can be written by root alone", "add uid= and gid= of the user who writes it"}
	rootHome            = kind{"root-home", Warning, "What the program needs lies in root's home", "put it where everybody can read it, such as /opt or /usr/local"}
	healthCheck         = kind{"health-check", Warning, "A health check needs root", "have it ask the program itself, as the user that the program runs as"}
	closedPort          = kind{"closed-port", Warning, "A port below 1024 is closed in the host's network", "listen on a port from 1024 on, or leave the host's network: in one of the container's own, every port is open to every user"}
	volumeOfRoot        = kind{"volume-of-root", Warning, "A volume is root's, and the program is not", "make the directory and give it to the user before USER and VOLUME (RUN install -d -o 10001 -g 10001 DIRECTORY)"}
	directoryOfRoot     = kind{"directory-of-root", Warning, "The program writes where only root can", "give it to the user (RUN install -d -o 10001 -g 10001 DIRECTORY, or COPY --chown=10001:10001)"}
	atStart             = kind{"packages-at-start", Warning, "The image installs packages when it starts", "install them when the image is built (RUN)"}
	readersDiffer       = kind{"readers-differ", Warning, "Engines read the user differently", "name a uid and a gid (USER 10001:10001), and fix the image's passwd"}
	setuidThere         = kind{"setuid-there", Note, "The image has setuid or setgid programs", "nothing, unless the image's program calls one"}
	capsThere           = kind{"capabilities-there", Note, "The image has programs with capabilities", "nothing, unless the image's program calls one"}
	closedDirectory     = kind{"closed-directory", Note, "The user can't write where programs write", "give the directory to the user when the image is built, or mount a volume there"}
	podRoot             = kind{"pod-runs-as-root", Error, "A container of a pod runs as root", "set runAsNonRoot: true and runAsUser, or a RuntimeClass of nonroot-runc's"}
	podUnknown          = kind{"pod-user-unknown", Warning, "Who a container of a pod runs as is not known", "set runAsNonRoot: true, and runAsUser; or say what the image has: --base NAME=USER"}
	podNever            = kind{"pod-never-starts", Error, "The kubelet does not start a container", "set runAsUser to a uid above 0"}
	podRootGroup        = kind{"pod-root-group", Note, "A container of a pod is in root's group", "set runAsGroup"}
	rootInNamespace     = kind{"pod-root-in-namespace", Warning, "A container of a pod is root of a user namespace", "set runAsNonRoot: true and runAsUser, too"}
	podSecurity         = kind{"pod-security", Error, "Pod Security refuses a pod", "set what is named, or label the namespace for another level"}
	podSecurityLabel    = kind{"pod-security-label", Error, "A namespace's label is no level of Pod Security", "write a level (privileged, baseline or restricted), or a version (latest, or one such as v1.37)"}
	closedVolume        = kind{"closed-volume", Error, "A container's user can't read a secret of its pod", "set fsGroup, or defaultMode: 0444"}
	serviceRoot         = kind{"service-runs-as-root", Error, "A service runs as root", "set user: to a uid and a gid (user: \"10001:10001\")"}
	serviceUnknown      = kind{"service-user-unknown", Warning, "Who a service runs as is not known", "set user:, or say what the image has: --base NAME=USER"}
	serviceNever        = kind{"service-never-starts", Error, "No engine starts a service with this user", "name a uid from 1 to 2147483647, or an account that the image has"}
	serviceRootGroup    = kind{"service-root-group", Warning, "A service is in root's group", "take it out of group_add"}
	hookRoot            = kind{"hook-runs-as-root", Warning, "A hook runs as root", "leave out its user, and give the files their owner when the image is built"}
	closedServiceSecret = kind{"closed-service-secret", Error, "A service's user can't read its secret", "set uid: of the secret to the service's user"}
	sharedVolume        = kind{"shared-volume", Warning, "Services share a volume as different users", "give them the same user: (user: \"10001:10001\"), or a group that both have and can write there"}
	bundleRoot          = kind{"bundle-runs-as-root", Error, "A bundle's container runs as root", "set process.user to a uid and a gid above 0"}
	bundleRootGroup     = kind{"bundle-root-group", Warning, "A bundle's container is in root's group", "set process.user.gid to a group of its own, and leave 0 out of additionalGids"}
	bundleRefused       = kind{"bundle-refused", Error, "The policy refuses a bundle", "do what the reason says, or see nonroot-ctl explain DIRECTORY"}
	bundleNeverStarts   = kind{"bundle-never-starts", Error, "A bundle's program can't be started by its user", "give the program a mode by which everybody can read and run it, and name it by its path in the rootfs"}
	bundleMount         = kind{"bundle-mount", Warning, "A bundle's mount is closed to its user", "give the source to the user, or mount it with idmap"}
	bundlePort          = kind{"bundle-port", Warning, "A bundle's port is closed to its user", "listen on a port from 1024 on"}
	deniedAtRun         = kind{"denied-at-run", Warning, "The container was denied something", "see why, and nonroot-ctl learn, which goes on for as long as you like"}
	failedAtRun         = kind{"failed-at-run", Warning, "The container failed when it was run", "see what it has printed on standard error; name a command behind -- with which it ends with 0 as root"}
	ignoreUnclear       = kind{"ignore-unclear", Warning, "An ignore names no finding, or no reason", "write: # nonroot-ctl: ignore ID REASON"}
	ignoreUnused        = kind{"ignore-unused", Note, "An ignore is about nothing", "take it away"}
)

// kinds lists all kinds.
var kinds = []kind{
	unreadable, runsAsRoot, userUnknown, neverStarts, userByName, rootGroup, needsRoot, needsRootToStart, stepsDown, setuidFile, capability, closedProg,
	secretMount, cacheMount, rootHome, volumeOfRoot, directoryOfRoot, healthCheck, closedPort, atStart, readersDiffer, setuidThere, capsThere, closedDirectory, podRoot, podUnknown, podNever, podRootGroup, rootInNamespace, podSecurity, podSecurityLabel, closedVolume, serviceRoot, serviceUnknown, serviceNever, serviceRootGroup, hookRoot, closedServiceSecret, sharedVolume,
	bundleRoot, bundleRootGroup, bundleRefused, bundleNeverStarts, bundleMount, bundlePort, deniedAtRun, failedAtRun, ignoreUnclear, ignoreUnused,
}

// Kind describes a kind of finding in a list of them.
type Kind struct {
	ID, Title, Do string
	Severity      Severity
}

// Kinds returns all kinds.
func Kinds() (all []Kind) {
	for _, k := range kinds {
		all = append(all, Kind{k.ID, k.Title, k.Do, k.Severity})
	}
	return all
}
