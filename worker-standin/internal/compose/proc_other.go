// How a child process is tied to this one, where the kernel knows no parent-death signal.

//go:build !linux

package compose

import "syscall"

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
