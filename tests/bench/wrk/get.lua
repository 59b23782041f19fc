-- GET of random ones of the paths in a file: get.lua -- FILE
local common = require("common")

function init(args)
  common.seed()
  request = common.getter(common.lines(args[1]))
end
