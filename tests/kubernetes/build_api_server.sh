#!/usr/bin/env bash
# usage: build_api_server.sh FOLDER
# Makes a Kubernetes API server, its controller manager and etcd in FOLDER out of Debian bookworm's packages alone, from where the machine gets them. Takes 18
# minutes on two cores that have nothing else to do. Package lists and sources lie below FOLDER, so that the machine's own
# stay as they are.
set -euo pipefail
version=1.20.5+really1.20.2-1.1+deb12u1
mkdir -p "$1"
folder=$(realpath "$1")
work=$folder/work
mkdir -p "$work"/apt/{lists,cache/archives}/partial "$work"/home
cd "$work"
# Where the machine gets Debian's packages, it gets their sources.
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
  while read -r place; do printf 'deb %s\ndeb-src %s\n' "$place" "$place"; done > apt/sources.list
cat > apt/options <<OPTIONS
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
OPTIONS
export APT_CONFIG=$work/apt/options
apt-get update -qq
apt-get source -qq --download-only "kubernetes=$version"
apt-get download -qq golang-1.19-go golang-1.19-src etcd-server
tar xzf kubernetes_*.orig.tar.gz
for package in ./*.deb; do dpkg -x "$package" root; done
install root/usr/bin/etcd "$folder/etcd"
cd kubernetes-1.20*
mkdir -p .go/src/k8s.io
ln -sfn ../../.. .go/src/k8s.io/kubernetes
export GOROOT=$work/root/usr/lib/go-1.19 HOME=$work/home GOCACHE=$work/go-cache GOPATH=$PWD/.go
export PATH=$GOROOT/bin:$PATH CGO_ENABLED=0 GO111MODULE=off GOFLAGS=-p=2
make WHAT="cmd/kube-apiserver cmd/kube-controller-manager"
install _output/local/bin/linux/*/kube-apiserver _output/local/bin/linux/*/kube-controller-manager "$folder"
rm -rf "$work"
