// The health answer, and the worker's own directory for temporary files.
package worker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Health answers every path with 200 and what runs here. CpuLoad is the number of free cores: the real
// worker's name for it. Requests are shown without secrets, which the real worker does not do.
func (s *Server) Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := map[string]any{"CpuLoad": s.gate.Available()}
		s.mu.Lock()
		for id, x := range s.sessions {
			status[id] = x.job.Info.Request
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status)
	})
}

const tempPrefix = "egress-standin-"

// newTempDir makes this process a directory of its own and removes those of dead ones.
func newTempDir(root string, pid int) (string, error) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		if owner, ok := ownerOf(e.Name()); ok && owner != pid && syscall.Kill(owner, 0) == syscall.ESRCH {
			_ = os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	dir := filepath.Join(root, tempPrefix+strconv.Itoa(pid))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("no directory for temporary files: %w", err)
	}
	return dir, nil
}

func ownerOf(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(rest)
	return pid, err == nil
}
