// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/resources"
)

// slotName is the Lease of one of the nodes that may restart their CRI daemon at once. The chart makes them: the agent may change
// these and make none, so that it can't widen their number.
func slotName(number int) string { return fmt.Sprintf("nonroot-runc-restart-%d", number) }

// microTime is how the API writes the times of Leases (apimachinery, MicroTime).
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// Bounds of how often a node asks for its turn. Thousands may wait, of whom one or a few restart at a time.
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

// later has the next look twice as far away as the last one, and nodes that began together apart.
func (t *turn) later(now time.Time) {
	t.wait = min(max(2*t.wait, firstTurn), lastTurn)
	t.at = now.Add(wait.Jitter(t.wait/2, 1))
	t.tries++
}

// slot takes one of the Leases, or says that there is none for this node yet. Who was killed with its own gets it back at once; another
// node after it has run out, which is after twice the time that a restart and the way back may take: clocks of nodes differ. Each time it
// looks at two at most, its own by its name and the next of the others, however many there are.
func (c *cluster) slot(ctx context.Context, slots int, limit time.Duration) (release func(), err error) {
	// The same words each time: they are written on the node, and a change would be a request more.
	waits := fmt.Errorf("%w for its turn: %d nodes at once may restart the CRI daemon, and each has a Lease in the namespace %q meanwhile", errWaiting, slots, c.namespace)
	if time.Now().Before(c.turn.at) {
		return nil, waits
	}
	own := ownSlot(c.options.node, slots)
	numbers := []int{own}
	if slots > 1 {
		numbers = append(numbers, (own+1+c.turn.tries%(slots-1))%slots)
	}
	for _, number := range numbers {
		lease, err := c.lease(ctx, slotName(number))
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

// ownSlot is the one that a node tries first.
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

// held says who has a Lease. One that can't be read is taken.
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

// hold writes a holder, "" for none. Who has changed the Lease meanwhile wins, by its resourceVersion.
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

// release gives a Lease back. Where that fails, it runs out.
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
