// The modules are those that firecracker-go-sdk v1.0.0 wants. Its own go.mod, compiled as the main one, would want a
// thousand sums of what cni/vmconf never imports.
module vmconf-parse

go 1.25

require (
	github.com/containernetworking/cni v1.0.1
	github.com/firecracker-microvm/firecracker-go-sdk v1.0.0
)

require (
	github.com/containernetworking/plugins v1.0.1 // indirect
	github.com/vishvananda/netlink v1.1.1-0.20210330154013-f5de75959ad5 // indirect
	github.com/vishvananda/netns v0.0.0-20210104183010-2eb08e3e575f // indirect
	golang.org/x/sys v0.0.0-20220204135822-1c1b9b1eba6a // indirect
)
