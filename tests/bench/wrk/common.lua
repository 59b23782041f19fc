-- What the scripts share. wrk gives `init` the words after `--`; requests are put together there as far as can be, since
-- what a script does in `request` is taken from the machine that the server runs on too.

local common = {}

-- The lines of a file.
function common.lines(file)
  local lines = {}
  for line in io.lines(file) do
    lines[#lines + 1] = line
  end
  return lines
end

-- A function that answers a request for any of these paths.
function common.getter(paths)
  local requests = {}
  for at, path in ipairs(paths) do
    requests[at] = wrk.format("GET", path)
  end
  local random, count = math.random, #requests
  return function()
    return requests[random(count)]
  end
end

-- The head of a request with a body of so many bytes, and with the headers that wrk was given.
local function head(method, path, length)
  local given = ""
  for name, value in pairs(wrk.headers) do
    given = given .. name .. ": " .. value .. "\r\n"
  end
  return method .. " " .. path .. " HTTP/1.1\r\n" .. given
    .. "Content-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
end

local people = {
  { "Ada Lovelace", "lovelace", "Acme", "London" }, { "Grace Hopper", "hopper", "Eckert", "New York" },
  { "Alan Turing", "turing", "Bombe & Sons", "Bletchley" }, { "Edsger Dijkstra", "dijkstra", "Shortest Path", "Nuenen" },
  { "Barbara Liskov", "liskov", "Substitutes", "Boston" }, { "Donald Knuth", "knuth", "Volumes", "Stanford" },
  { "Frances Allen", "allen", "Fast Lines", "Croton" }, { "Niklaus Wirth", "wirth", "Oberon", "Zürich" },
}
local statuses = { "contacted", "qualified", "converted", "discarded" }

-- A function that answers a request for another new lead. Its address begins with a number that is not the same twice in
-- a run and comes in no order; `run` tells the runs apart.
function common.creator(path, run)
  local before, after = {}, {}
  for at, person in ipairs(people) do
    local name, family, company, city = unpack(person)
    local email = '{"email":"'
    local rest = ("-%s.%s@example.com\",\"name\":\"%s\",\"status\":\"new\",\"attributes\":"
      .. '{"company":"%s","city":"%s","source":"fair"}}'):format(run, family, name, company, city)
    before[at] = head("POST", path, #email + 8 + #rest) .. email
    after[at] = rest
  end
  local format, count, number = string.format, #people, 0
  return function()
    number = number + 1
    local at = number % count + 1
    -- Both are prime: every number below the second comes once. Exact in doubles up to eight million.
    return before[at] .. format("%08x", number * 1103515249 % 4294967291) .. after[at]
  end
end

-- A function that answers a request that changes the name and mostly the status of a lead at any of these paths.
function common.updater(method, paths)
  local template = '{"status":"%s","name":"Ada %08d"}'
  local length = #template:format(statuses[1], 1)
  local heads = {}
  for at, path in ipairs(paths) do
    heads[at] = head(method, path, length)
  end
  local random, format, count = math.random, string.format, #heads
  -- Two runs must not write the same names in turn.
  local number = random(50000000)
  return function()
    number = number + 1
    return heads[random(count)] .. format(template, statuses[random(4)], number)
  end
end

-- Seeds the random numbers: LuaJIT begins with the same in every process.
function common.seed()
  math.randomseed(os.time() + os.clock() * 1000000)
end

-- Prints one line for the driver: all times in microseconds. `eleventh` is the latency of the eleventh slowest request.
function done(summary, latency)
  local eleventh, above, at = 0, 0, #latency
  while at >= 1 and above < 11 do
    local value, count = latency(at)
    eleventh, above, at = value, above + count, at - 1
  end
  local errors = summary.errors
  print(("RESULT {\"us\":%d,\"requests\":%d,\"bytes\":%d,\"p50\":%d,\"p99\":%d,\"p999\":%d,\"max\":%d,\"eleventh\":%d,"
    .. "\"status\":%d,\"broken\":%d}"):format(summary.duration, summary.requests, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max, eleventh, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end

return common
