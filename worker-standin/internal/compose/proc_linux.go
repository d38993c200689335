// How a child process is tied to this one, on Linux.
package compose

import "syscall"

// ownGroup keeps a Ctrl-C in the terminal away from ffmpeg, so that SIGINT can still finish the file,
// and ends ffmpeg when the worker is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
