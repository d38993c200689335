// Measuring: how many cores this worker has, and how many each egress uses.
package worker

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/livekit/protocol/utils/hwstats"
)

const (
	clockTicksPerSecond = 100 // of /proc, fixed on every Linux that Go supports
	sampleEvery         = time.Second
)

type usage struct {
	cpu *hwstats.CPUStats
	bye chan struct{}

	lastSelf time.Duration
	lastPID  map[int]time.Duration
	lastTime time.Time
}

func newUsage() (*usage, error) {
	cpu, err := hwstats.NewCPUStats(nil)
	if err != nil {
		return nil, err
	}
	return &usage{cpu: cpu, bye: make(chan struct{}), lastPID: map[int]time.Duration{}}, nil
}

// total is LIVEKIT_CPU_REQUEST, else the cgroup's quota, else the node's cores.
func (u *usage) total() float64 { return u.cpu.NumCPU() }

// load is the busy share of those cores, 0 to 1.
func (u *usage) load() float64 { return max(0, u.cpu.GetCPULoad()) }

func (u *usage) stop() {
	close(u.bye)
	u.cpu.Stop()
}

// watch charges every egress an equal share of this process, plus the ffmpeg that finishes its file.
func (u *usage) watch(s *Server) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	u.lastSelf, u.lastTime = selfCPU(), time.Now()
	for {
		select {
		case <-u.bye:
			return
		case now := <-tick.C:
			s.gate.Measured(u.sample(s.pids(), now))
			s.metrics.sample(s)
		}
	}
}

func (u *usage) sample(pids map[string]int, now time.Time) map[string]float64 {
	elapsed := now.Sub(u.lastTime).Seconds()
	self := selfCPU()
	share := 0.0
	if len(pids) > 0 && elapsed > 0 {
		share = (self - u.lastSelf).Seconds() / elapsed / float64(len(pids))
	}
	cores := make(map[string]float64, len(pids))
	seen := map[int]time.Duration{}
	for id, pid := range pids {
		cores[id] = share
		if pid == 0 {
			continue
		}
		used := processCPU(pid)
		if before, ok := u.lastPID[pid]; ok && used > before && elapsed > 0 {
			cores[id] += (used - before).Seconds() / elapsed
		}
		seen[pid] = used
	}
	u.lastSelf, u.lastTime, u.lastPID = self, now, seen
	return cores
}

// pids maps each egress to its ffmpeg, or 0.
func (s *Server) pids() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	pids := make(map[string]int, len(s.sessions))
	for id, x := range s.sessions {
		x.mu.Lock()
		pids[id] = x.pid
		x.mu.Unlock()
	}
	return pids
}

func selfCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// processCPU reads user and system time of a process; 0 when it is gone.
func processCPU(pid int) time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	afterName := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(string(afterName))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicksPerSecond
}

func rssGB() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 30)
}
