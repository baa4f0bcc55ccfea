// Being told of changes to links and addresses in other network namespaces by one socket in ours.
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <set>

#include "util.h"

namespace tsbox {

namespace {

Fd Socket(uint32_t groups) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) throw SysError(errno, "socket");
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0) throw SysError(errno, "bind");
  return fd;
}

// rtnetlinkOpen: man 7 rtnetlink, man 7 netlink (NETLINK_LISTEN_ALL_NSID)
Napi::Value RtnetlinkOpen(const Napi::CallbackInfo& info) {
  Fd fd = Socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  int on = 1;
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on) < 0) throw SysError(errno, "setsockopt");
  return Int(info.Env(), fd.release());
}

struct Request {
  struct nlmsghdr header;
  struct rtgenmsg body;
  char attributes[2 * NLA_ALIGN(NLA_HDRLEN + sizeof(uint32_t))];

  Request(uint16_t type, uint16_t flags) : header{}, body{}, attributes{} {
    header.nlmsg_len = NLMSG_LENGTH(NLMSG_ALIGN(sizeof body));
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
  }
  void Add(uint16_t type, int32_t value) {
    auto* attribute = reinterpret_cast<struct nlattr*>(reinterpret_cast<char*>(this) + header.nlmsg_len);
    attribute->nla_len = NLA_HDRLEN + sizeof value;
    attribute->nla_type = type;
    memcpy(reinterpret_cast<char*>(attribute) + NLA_HDRLEN, &value, sizeof value);
    header.nlmsg_len += NLA_ALIGN(attribute->nla_len);
  }
};

// Sends a request and copies its first answer. rtnetlink answers within the call that asks.
ssize_t Ask(int fd, const Request& request, char* reply, size_t size, const char* what) {
  if (Retry([&] { return send(fd, &request, request.header.nlmsg_len, 0); }) < 0) throw SysError(errno, "send", what);
  ssize_t length = Retry([&] { return recv(fd, reply, size, 0); });
  if (length < 0) throw SysError(errno, "recv", what);
  return length;
}

// rtnetlinkNamespace: linux/net_namespace.h; RTM_NEWNSID gives a namespace a number in ours, RTM_GETNSID tells it
Napi::Value RtnetlinkNamespace(const Napi::CallbackInfo& info) {
  auto pid = static_cast<int32_t>(IntArg(info, 0, "pid"));
  Fd fd = Socket(0);
  alignas(NLMSG_ALIGNTO) char reply[1024];
  Request add(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK);
  add.Add(NETNSA_NSID, -1);
  add.Add(NETNSA_PID, pid);
  ssize_t length = Ask(fd.get(), add, reply, sizeof reply, "RTM_NEWNSID");
  auto* header = reinterpret_cast<struct nlmsghdr*>(reply);
  if (NLMSG_OK(header, static_cast<size_t>(length)) && header->nlmsg_type == NLMSG_ERROR) {
    int error = -static_cast<struct nlmsgerr*>(NLMSG_DATA(header))->error;
    // It has one already.
    if (error != 0 && error != EEXIST) throw SysError(error, "RTM_NEWNSID");
  }
  Request get(RTM_GETNSID, NLM_F_REQUEST);
  get.Add(NETNSA_PID, pid);
  length = Ask(fd.get(), get, reply, sizeof reply, "RTM_GETNSID");
  if (!NLMSG_OK(header, static_cast<size_t>(length))) throw SysError(EPROTO, "RTM_GETNSID");
  if (header->nlmsg_type == NLMSG_ERROR) {
    throw SysError(-static_cast<struct nlmsgerr*>(NLMSG_DATA(header))->error, "RTM_GETNSID");
  }
  auto* attribute = reinterpret_cast<struct rtattr*>(static_cast<char*>(NLMSG_DATA(header)) + NLMSG_ALIGN(sizeof(struct rtgenmsg)));
  auto left = static_cast<int>(header->nlmsg_len - NLMSG_SPACE(sizeof(struct rtgenmsg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == NETNSA_NSID) {
      int32_t id = -1;
      memcpy(&id, RTA_DATA(attribute), sizeof id);
      return Int(info.Env(), id);
    }
  }
  throw SysError(EPROTO, "RTM_GETNSID");
}

// rtnetlinkRead: man 7 netlink; the number of the namespace comes as a control message
Napi::Value RtnetlinkRead(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto fd = static_cast<int>(IntArg(info, 0, "fd"));
  std::set<int32_t> ids;
  bool lost = false;
  for (;;) {
    // What a message says is of no interest: whoever is told reads for himself.
    char data[64];
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int32_t)) + 64];
    struct iovec part = {data, sizeof data};
    struct msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (Retry([&] { return recvmsg(fd, &message, 0); }) < 0) {
      if (errno == EAGAIN) break;
      if (errno != ENOBUFS) throw SysError(errno, "recvmsg");
      lost = true;
      continue;
    }
    for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID) {
        int32_t id = -1;
        memcpy(&id, CMSG_DATA(c), sizeof id);
        ids.insert(id);
      }
    }
  }
  Napi::Array result = Napi::Array::New(env);
  for (int32_t id : ids) result.Set(result.Length(), Int(env, id));
  Napi::Object object = Napi::Object::New(env);
  object.Set("namespaces", result);
  object.Set("lost", lost);
  return object;
}

}  // namespace

void InitRtnetlink(Napi::Env env, Napi::Object exports) {
  Export<RtnetlinkOpen>(env, exports, "rtnetlinkOpen");
  Export<RtnetlinkNamespace>(env, exports, "rtnetlinkNamespace");
  Export<RtnetlinkRead>(env, exports, "rtnetlinkRead");
}

}  // namespace tsbox
