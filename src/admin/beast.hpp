// Boost.Beast, whose parser g++ 12 suspects of reading what was not set (basic_parser.hpp: an empty
// optional is copied). Heavy: only in .cpp files.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#pragma GCC diagnostic pop
