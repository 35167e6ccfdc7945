// SPDX-License-Identifier: Apache-2.0

// Package facts gathers what decisions and plans rest on, from the host, the bundle, the image and the kernel, into plain
// data (policy.Facts, plan.Input). It reads, and decides and writes nothing; what is dear is read once a decision asks for it.
//
//	caller.go        the process that calls, and whose files it may trust
//	policy.go        the policy file that a call goes by
//	lastgood.go      the copy of it from when it was last good
//	create.go        a bundle of which a container is to be made
//	existing.go      a container that was created before, and the process that an exec asks for
//	missing.go       what only some decisions ask for
//	lease.go         which id of a range an owner would get
//	userns.go        the container's own user namespace
//	neighbour.go     the container whose processes the container joins
//	image.go         the container's file system, and whose files it has
//	people.go        the administrator's list
//	isolated.go      whether the container's gids mean nothing on the host
//	spread.go        mounts that would appear on the host
//	ownfiles.go      mounts of what nonroot-runc itself goes by
//	surroundings.go  hooks, engines' sockets and the working directory
//	network.go       what anybody may do in the container's network
//	layer.go         what the image and its volumes keep for root
//	ownlayer.go      what of that needs a layer of the container's own
//	home.go          where a container's programs look for their home
//	plan.go          all that a plan rests on
package facts
