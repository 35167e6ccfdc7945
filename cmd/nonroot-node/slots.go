// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/resources"
)

// slotName returns the name of a Lease. Each lets one node restart its CRI daemon. The chart creates them, and the agent may
// only update them. Only for a percentage, where the chart can't know how many, does the agent create the missing ones.
func slotName(number int) string { return fmt.Sprintf("nonroot-runc-restart-%d", number) }

// daemonSet is the name of the agents' DaemonSet in the chart.
const daemonSet = podevents.Component

// slots is how many nodes may restart at once: a number, or a percentage of the nodes with an agent.
type slots struct{ number, percent int }

func (s *slots) String() string {
	if s.percent > 0 {
		return strconv.Itoa(s.percent) + "%"
	}
	return strconv.Itoa(s.number)
}

// Set parses the chart's restart.nodes.
func (s *slots) Set(text string) error {
	digits, share := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || digits != strconv.Itoa(n):
		return fmt.Errorf("%q is neither a number nor a share such as 10%%", text)
	case n < 1 || share && n > 100:
		return fmt.Errorf("with %q no node may restart, or more than there are", text)
	case share:
		*s = slots{percent: n}
	default:
		*s = slots{number: n}
	}
	return nil
}

// of returns the number for a cluster of this size. A percentage is rounded down to at least one, or no node would ever
// become ready.
func (s slots) of(nodes int) int {
	if s.percent == 0 {
		return s.number
	}
	return max(1, nodes*s.percent/100)
}

// allowed returns the present number. A percentage is of the nodes on which the DaemonSet should have a pod; they are
// counted each time, because clusters grow.
func (c *cluster) allowed(ctx context.Context) (number int, set *unstructured.Unstructured, err error) {
	if c.slots.percent == 0 {
		return c.slots.number, nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	set, err = c.dynamic.Resource(resources.DaemonSets).Namespace(c.namespace).Get(limited, daemonSet, metav1.GetOptions{})
	if err != nil {
		return 0, nil, fmt.Errorf("%w for the API server, to ask how many nodes there are: %w", errWaiting, err)
	}
	nodes, _, err := unstructured.NestedInt64(set.Object, "status", "desiredNumberScheduled")
	if err != nil {
		return 0, nil, fmt.Errorf("read of how many nodes %v may restart: %w", &c.slots, err)
	}
	return c.slots.of(int(nodes)), set, nil
}

// makeLease creates a Lease that is deleted with the DaemonSet. If another node was faster, that is fine.
func (c *cluster) makeLease(ctx context.Context, name string, set *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	lease := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resources.Leases.GroupVersion().String(), "kind": "Lease",
		"metadata": map[string]any{"name": name, "namespace": c.namespace, "ownerReferences": []any{map[string]any{
			"apiVersion": set.GetAPIVersion(), "kind": set.GetKind(), "name": set.GetName(), "uid": string(set.GetUID()),
		}}},
	}}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	made, err := c.dynamic.Resource(resources.Leases).Namespace(c.namespace).Create(limited, lease, metav1.CreateOptions{FieldManager: podevents.Component})
	if apierrors.IsAlreadyExists(err) {
		return c.lease(ctx, name)
	}
	return made, err
}

// microTime is the API's format for the times of Leases (apimachinery, MicroTime).
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// How often a node asks for its turn. Thousands may be waiting while one or a few restart.
const (
	firstTurn = lookFiles
	lastTurn  = time.Minute
)

// turn is when a node asks next.
type turn struct {
	at    time.Time
	wait  time.Duration
	tries int
}

// later doubles the interval, with some randomness so that nodes that started together spread out.
func (t *turn) later(now time.Time) {
	t.wait = min(max(2*t.wait, firstTurn), lastTurn)
	t.at = now.Add(wait.Jitter(t.wait/2, 1))
	t.tries++
}

// slot acquires one of the Leases, or returns errWaiting. A node that was killed while holding one gets it back at once.
// Other nodes wait for it to expire, which takes twice the time of a restart with its rollback, because nodes' clocks
// differ. Each attempt looks at two Leases at most, the node's own by name and the next of the others, however many there
// are.
func (c *cluster) slot(ctx context.Context, limit time.Duration) (release func(), err error) {
	// Always the same words: they are written to the node, and a change would cost a request.
	waits := fmt.Errorf("%w for its turn: %v of the nodes may restart the CRI daemon at once, and each has a Lease in the namespace %q meanwhile", errWaiting, &c.slots, c.namespace)
	if time.Now().Before(c.turn.at) {
		return nil, waits
	}
	slots, set, err := c.allowed(ctx)
	if err != nil {
		return nil, err
	}
	own := ownSlot(c.options.node, slots)
	numbers := []int{own}
	if slots > 1 {
		numbers = append(numbers, (own+1+c.turn.tries%(slots-1))%slots)
	}
	for _, number := range numbers {
		lease, err := c.lease(ctx, slotName(number))
		if set != nil && apierrors.IsNotFound(err) {
			lease, err = c.makeLease(ctx, slotName(number), set)
		}
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no Lease %q in the namespace %q, without which no node restarts its CRI daemon\nhint: install the chart again", slotName(number), c.namespace)
		}
		if err != nil {
			return nil, fmt.Errorf("%w for the API server, to ask whether another node restarts: %w", errWaiting, err)
		}
		if holder, taken := held(lease, time.Now()); taken && holder != c.options.node {
			slog.Info("waiting: another node restarts its CRI daemon", "holder", holder, "lease", slotName(number))
			continue
		}
		if err := c.hold(ctx, lease, c.options.node, 2*2*limit); apierrors.IsConflict(err) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("%w for the API server, to say that this node restarts: %w", errWaiting, err)
		}
		c.turn = turn{}
		return func() { c.release(slotName(number)) }, nil
	}
	c.turn.later(time.Now())
	return nil, waits
}

// ownSlot returns the slot that a node tries first.
func ownSlot(node string, slots int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(node))
	return int(h.Sum32()>>1) % slots
}

func (c *cluster) lease(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return c.dynamic.Resource(resources.Leases).Namespace(c.namespace).Get(limited, name, metav1.GetOptions{})
}

// held returns the holder of a Lease. A Lease that can't be parsed counts as taken.
func held(lease *unstructured.Unstructured, now time.Time) (holder string, taken bool) {
	holder, _, err := unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	if err != nil {
		return "", true
	}
	if holder == "" {
		return "", false
	}
	text, _, err := unstructured.NestedString(lease.Object, "spec", "renewTime")
	since, broken := time.Parse(time.RFC3339Nano, text)
	seconds, _, also := unstructured.NestedInt64(lease.Object, "spec", "leaseDurationSeconds")
	if err != nil || broken != nil || also != nil {
		return holder, true
	}
	return holder, now.Before(since.Add(time.Duration(seconds) * time.Second))
}

// hold writes a holder, "" for none. A concurrent update wins, by resourceVersion.
func (c *cluster) hold(ctx context.Context, lease *unstructured.Unstructured, holder string, until time.Duration) error {
	now := time.Now().UTC().Format(microTime)
	spec := map[string]any{"holderIdentity": holder, "acquireTime": now, "renewTime": now, "leaseDurationSeconds": int64(until / time.Second)}
	if holder == "" {
		spec = map[string]any{}
	}
	lease.Object["spec"] = spec
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := c.dynamic.Resource(resources.Leases).Namespace(c.namespace).Update(limited, lease, metav1.UpdateOptions{FieldManager: podevents.Component})
	return err
}

// release gives a Lease back. If that fails, the Lease expires.
func (c *cluster) release(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	lease, err := c.lease(ctx, name)
	if err == nil {
		if holder, _ := held(lease, time.Now()); holder != c.options.node {
			return
		}
		err = c.hold(ctx, lease, "", 0)
	}
	if err != nil {
		slog.Warn("the Lease is not given back before it runs out", "lease", name, "cause", err)
	}
}
