// Reads the CNI result on standard input as firecracker-go-sdk does for the virtual machine of a container id, its only
// argument, and prints the configuration that a VM gets from it. Opens the namespaces that the result names.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"
	"github.com/firecracker-microvm/firecracker-go-sdk/cni/vmconf"
)

func parse() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s CONTAINER_ID <RESULT", os.Args[0])
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	result, err := create.CreateFromBytes(text)
	if err != nil {
		return err
	}
	// The SDK keeps it in this form between CNI's answer and its own use of it.
	latest, err := current.NewResultFromResult(result)
	if err != nil {
		return err
	}
	conf, err := vmconf.StaticNetworkConfFrom(latest, os.Args[1])
	if err != nil {
		return err
	}
	printed := json.NewEncoder(os.Stdout)
	return printed.Encode(struct {
		*vmconf.StaticNetworkConf
		IPBootParam string
	}{conf, conf.IPBootParam()})
}

func main() {
	if err := parse(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
