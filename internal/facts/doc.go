// SPDX-License-Identifier: Apache-2.0

// Package facts gathers the input of decisions and plans from the host, the bundle, the image and the kernel, as plain
// data (policy.Facts, plan.Input). It only reads; it decides nothing. Facts that are expensive to gather are read only
// when a decision asks for them.
//
//	caller.go        the calling process, and whose files it may trust
//	policy.go        the policy file that a call uses
//	lastgood.go      its last good copy
//	create.go        a bundle that a container is created from
//	existing.go      an existing container, and the process that an exec asks for
//	missing.go       facts that only some decisions need
//	lease.go         which id of a range an owner would get
//	userns.go        the container's own user namespace
//	neighbour.go     the container whose processes the container joins
//	image.go         the container's file system, and who owns its files
//	people.go        the administrator's list
//	isolated.go      whether the container's gids mean nothing on the host
//	spread.go        mounts that would propagate to the host
//	ownfiles.go      mounts of nonroot-runc's own files
//	surroundings.go  hooks, engines' sockets and the working directory
//	network.go       what any process may do in the container's network
//	layer.go         what belongs to root in the image and its volumes
//	ownlayer.go      which of that requires a layer of the container's own
//	home.go          where a container's programs look for their home
//	plan.go          the complete input of a plan
package facts
