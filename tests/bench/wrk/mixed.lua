-- A POST of a new lead, then a GET of a random one of the paths in a file, and so on: mixed.lua -- PATH RUN FILE
local common = require("common")

function init(args)
  common.seed()
  local create, get, turn = common.creator(args[1], args[2]), common.getter(common.lines(args[3])), false
  request = function()
    turn = not turn
    if turn then return create() end
    return get()
  end
end
