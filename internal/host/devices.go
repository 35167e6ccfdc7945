// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// devicesFile is where the kernel lists its drivers' majors (proc_devices(5)).
const devicesFile = "/proc/devices"

// fixedMajors are majors of character devices that give access to a disk or tape, whether or not their driver is
// loaded yet: st, sg, mtd, raw and osst (Linux, admin-guide/devices.txt).
var fixedMajors = []int64{9, 21, 90, 162, 206}

// rawDrivers are the names of such devices whose majors the kernel assigns. Their drivers check what a command does,
// but let whoever has opened one read and write blocks (Linux, scsi_cmd_allowed, nvme_cmd_allowed), or memory (dax).
var rawDrivers = []string{"bsg", "nvme", "nvme-generic", "dax", "ndctl", "dimmctl", "ubi0", "mmc_rpmb", "rpmb"}

// RawMajors are the majors of character devices that give access to a disk, a tape or memory.
func RawMajors() []int64 {
	// Without the list, the fixed majors are still known.
	text, _ := proc.Read(devicesFile)
	return rawMajors(string(text))
}

func rawMajors(list string) []int64 {
	all := slices.Clone(fixedMajors)
	characters, _, _ := strings.Cut(list, "Block devices:")
	for line := range strings.Lines(characters) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		major, err := strconv.ParseInt(number, 10, 64)
		if err == nil && slices.Contains(rawDrivers, name) && !slices.Contains(all, major) {
			all = append(all, major)
		}
	}
	slices.Sort(all)
	return all
}
